//! What a new password must not be: one that many people use, or what its account says of itself.

use crate::{
    limits,
    text::{DisplayName, Email, InvalidText, Password, Username},
};

/// Passwords that many people use, in lower case, one a line; `README.md` beside them says where they are from.
const COMMON: &str = include_str!("../common-passwords/list.txt");

/// The product's name, which is the first thing that comes to mind.
const PRODUCT: &str = "quire";

/// Shorter parts of what an account says of itself are in every text.
const PART_CHARS: usize = 3;

/// What somebody could guess a password from.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The account's name.
    pub username: &'a Username,
    /// Its address.
    pub email: &'a Email,
    /// How it wants to be called.
    pub display_name: Option<&'a DisplayName>,
}

/// Checks a new password of an account. Case does not matter.
///
/// # Errors
/// Why it is too easy to guess.
pub fn check(password: &Password, known: Known<'_>) -> Result<(), InvalidText> {
    let password = password.expose().to_lowercase();
    let mut distinct: Vec<_> = password.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < limits::PASSWORD_DISTINCT_CHARS {
        return Err(InvalidText::new(format!("must have {} different characters or more", limits::PASSWORD_DISTINCT_CHARS)));
    }
    if COMMON.lines().any(|common| common == password) {
        return Err(InvalidText::new("is a password that many people use"));
    }
    let rest = parts(known).into_iter().fold(password, |rest, part| rest.replace(&part, ""));
    if rest.chars().count() < limits::PASSWORD_OWN_CHARS {
        return Err(InvalidText::new("is too close to the name or the address of the account"));
    }
    Ok(())
}

/// The longest first, so that a name that holds another goes as a whole.
fn parts(known: Known<'_>) -> Vec<String> {
    let Known { username, email, display_name } = known;
    let (local, domain) = email.as_str().rsplit_once('@').unwrap_or_default();
    let mut labels = domain.split('.').collect::<Vec<_>>();
    labels.pop();
    let name = display_name.map_or("", DisplayName::as_str).to_lowercase();
    let words = name.split(|character: char| !character.is_alphanumeric());
    let all = [PRODUCT, username.as_str(), local].into_iter().chain(labels).chain(words);
    let mut parts: Vec<_> = all.filter(|part| part.chars().count() >= PART_CHARS).map(str::to_owned).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(password: &str) -> Result<(), String> {
        let (username, email) = (Username::parse("lovelace_1815").unwrap(), Email::parse("countess.ada@engines.example.com").unwrap());
        let display_name = DisplayName::parse("Ada King-Noel").unwrap();
        let known = Known { username: &username, email: &email, display_name: Some(&display_name) };
        check(&Password::parse(&password.into()).unwrap(), known).map_err(|error| error.to_string())
    }

    #[test]
    fn what_many_people_use_is_refused_in_any_case() {
        for password in ["1qaz2wsx3edc", "PassWord123", "QWERTYUIOP", "Q1w2e3r4t5y6"] {
            assert_eq!(verdict(password), Err("is a password that many people use".into()), "{password}");
        }
        for password in ["aaaaaaaaaa", "ABAB abab ABAB", &"1234".repeat(64)] {
            assert_eq!(verdict(password), Err("must have 5 different characters or more".into()), "{password}");
        }
    }

    #[test]
    fn what_the_account_says_of_itself_leaves_too_little() {
        let close = ["Lovelace_1815!", "countess.ada99", "ENGINES-example", "adaKINGnoel12", "quire-lovelace_1815", "Ada1Ada2Ada3", "QuireQuire123"];
        for password in close {
            assert_eq!(verdict(password), Err("is too close to the name or the address of the account".into()), "{password}");
        }
        for password in ["correct horse battery", "ada writes letters", "lovelace_1815 analyses", "Com com com io net", "пароль из восьми слов"]
        {
            assert_eq!(verdict(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn the_list_is_sorted_in_lower_case_and_holds_what_could_be_a_password() {
        let common: Vec<_> = COMMON.lines().collect();
        assert!(common.len() == 10_000 && common.is_sorted());
        for password in common {
            assert_eq!((password.to_lowercase().as_str(), Password::parse(&password.into()).is_ok()), (password, true), "{password}");
        }
    }
}
