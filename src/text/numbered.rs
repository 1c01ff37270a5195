//! Names that are to differ: one that comes again gets a number.

use std::collections::HashMap;

/// The number that each name got last, so that none is tried twice, however often its name comes.
#[derive(Debug, Default)]
pub struct Numbered(HashMap<String, usize>);

impl Numbered {
    /// The name if it `is_free`, else the first of `name~2`, `name~3` … that is; `mark` stands for the `~`.
    pub fn free(&mut self, name: &str, mark: &str, mut is_free: impl FnMut(&str) -> bool) -> String {
        if is_free(name) {
            return name.to_owned();
        }
        let last = self.0.entry(name.to_owned()).or_insert(1);
        loop {
            *last += 1;
            let numbered = format!("{name}{mark}{last}");
            if is_free(&numbered) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_that_comes_again_gets_the_first_number_that_no_other_name_has() {
        let (mut numbered, mut given) = (Numbered::default(), HashSet::new());
        let mut free = |name: &str| numbered.free(name, "~", |n| given.insert(n.to_owned()));
        assert_eq!(["a", "a~3", "a", "a", "b"].map(&mut free), ["a", "a~3", "a~2", "a~4", "b"]);
    }
}
