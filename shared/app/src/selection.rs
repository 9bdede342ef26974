//! Sparse fields: which members of a view a client wants.

use std::collections::BTreeSet;

use crate::input::Fields;

/// All members of a view, or some of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Option<BTreeSet<&'static str>>);

impl Selection {
    /// Reads the parameter `fields` for a view that has the members `known`, of which the first is always there.
    pub fn read(fields: &mut Fields, known: &'static [&'static str]) -> Option<Self> {
        let named = fields.optional("fields", |text| {
            let mut named = BTreeSet::new();
            for name in text.split(',') {
                let name = known.iter().find(|known| **known == name).ok_or("must be names of fields, separated by commas")?;
                if !named.insert(*name) {
                    return Err("must not name a field twice");
                }
            }
            named.extend(known.first());
            Ok(named)
        });
        named.map(Self)
    }

    /// Whether the client has named this member.
    pub fn names(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|named| named.contains(name))
    }

    /// The members, if not all.
    pub fn members(&self) -> Option<&BTreeSet<&'static str>> {
        self.0.as_ref()
    }
}
