//! What crashes, duplicates and restarts do: nothing is lost and nothing is done twice.
