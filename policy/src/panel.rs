//! Who could still approve, and the least that would be enough. Knows nothing of Cedar.

use std::collections::{BTreeMap, BTreeSet};

use runcord_model::Needed;

/// So many that no rule asks for more.
const PLENTY: i64 = 1_000_000;

/// Questions asked at most while looking for alternatives.
const SEARCH: usize = 256;

/// How many different people approved: in all, and of each group.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counts {
    pub(crate) people: i64,
    groups: BTreeMap<String, i64>,
}

impl Counts {
    /// Counts people by the groups that each is in.
    pub(crate) fn count(people: impl IntoIterator<Item = BTreeSet<String>>) -> Self {
        let mut counts = Self::default();
        for groups in people {
            counts.people += 1;
            for group in groups {
                *counts.groups.entry(group).or_default() += 1;
            }
        }
        counts
    }

    /// More people of every group than any rule asks for.
    pub(crate) fn plenty<'a>(groups: impl IntoIterator<Item = &'a String>) -> Self {
        Self { people: PLENTY, groups: groups.into_iter().map(|group| (group.clone(), PLENTY)).collect() }
    }

    pub(crate) fn of(&self, group: &str) -> i64 {
        self.groups.get(group).copied().unwrap_or(0)
    }

    pub(crate) fn plus(&self, more: &Self) -> Self {
        let mut sum = self.clone();
        sum.people += more.people;
        for (group, count) in &more.groups {
            *sum.groups.entry(group.clone()).or_default() += count;
        }
        sum
    }

    /// As a reader wants it. `people` is only said where it asks for more than the groups do.
    fn needed(&self) -> Vec<Needed> {
        let of = |count: i64, group: &str| Needed {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            group: group.to_owned(),
        };
        let mut needed: Vec<_> = self
            .groups
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(group, count)| of(*count, group))
            .collect();
        if self.people > self.groups.values().copied().max().unwrap_or(0) {
            needed.push(of(self.people, "people"));
        }
        needed
    }

    fn covers(&self, other: &Self) -> bool {
        self.people >= other.people && other.groups.iter().all(|(group, count)| self.of(group) >= *count)
    }

    /// All of them.
    pub(crate) fn sum(&self) -> i64 {
        self.people + self.groups.values().sum::<i64>()
    }
}

/// The smallest additions up to `available` that `allows` says yes to, each a list of what is needed together.
///
/// Asks upward from nothing, so that each answer found is minimal. `allows` must say yes to `available` itself;
/// if the search ends before it found anything, one answer is found downward from there.
pub(crate) fn least(
    available: &Counts,
    asked_for: &BTreeSet<String>,
    mut allows: impl FnMut(&Counts) -> bool,
) -> Vec<Vec<Needed>> {
    let mut found: Vec<Counts> = Vec::new();
    let mut frontier = BTreeSet::from([(0, Counts::default())]);
    let mut asked = 0;
    while let Some((_, next)) = frontier.pop_first() {
        if found.iter().any(|smaller| next.covers(smaller)) {
            continue;
        }
        asked += 1;
        if asked > SEARCH {
            break;
        }
        if allows(&next) {
            found.push(next);
            continue;
        }
        for more in steps(&next, available, asked_for) {
            frontier.insert((more.sum(), more));
        }
    }
    if found.is_empty() {
        found.push(downward(available, allows));
    }
    found.iter().map(Counts::needed).collect()
}

/// One more of one kind, as far as there are people.
fn steps(from: &Counts, available: &Counts, asked_for: &BTreeSet<String>) -> Vec<Counts> {
    let mut steps = Vec::new();
    for group in asked_for.iter().filter(|group| available.of(group) > from.of(group)) {
        let mut more = from.clone();
        let count = more.groups.entry(group.clone()).or_default();
        *count += 1;
        more.people = more.people.max(*count);
        steps.push(more);
    }
    if asked_for.contains("people") && available.people > from.people {
        let mut more = from.clone();
        more.people += 1;
        steps.push(more);
    }
    steps
}

fn downward(available: &Counts, mut allows: impl FnMut(&Counts) -> bool) -> Counts {
    let mut least = available.clone();
    let groups: Vec<_> = available.groups.keys().cloned().collect();
    for group in groups {
        while least.of(&group) > 0 {
            let mut less = least.clone();
            *less.groups.entry(group.clone()).or_default() -= 1;
            if !allows(&less) {
                break;
            }
            least = less;
        }
    }
    let most = least.groups.values().copied().max().unwrap_or(0);
    while least.people > most {
        let mut less = least.clone();
        less.people -= 1;
        if !allows(&less) {
            break;
        }
        least = less;
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(of: &[&[&'static str]]) -> Counts {
        Counts::count(of.iter().map(|groups| asked(groups)))
    }

    fn words(found: &[Vec<Needed>]) -> Vec<String> {
        let one = |n: &Needed| format!("{} {}", n.count, n.group);
        found.iter().map(|all| all.iter().map(one).collect::<Vec<_>>().join("+")).collect()
    }

    fn asked(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_least_is_found_with_its_alternatives() {
        let available = people(&[&["sre"], &["sre"], &["sre", "security"]]);
        let found = least(&available, &asked(&["sre", "security"]), |c| {
            c.of("sre") >= 2 || (c.of("sre") >= 1 && c.of("security") >= 1)
        });
        assert_eq!(words(&found), ["1 security+1 sre", "2 sre"]);
    }

    #[test]
    fn two_people_are_two_people() {
        let available = people(&[&["sre"], &[]]);
        let found = least(&available, &asked(&["sre", "people"]), |c| c.people >= 2 && c.of("sre") >= 1);
        assert_eq!(words(&found), ["1 sre+2 people"]);
    }

    #[test]
    fn a_long_search_still_ends_with_an_answer() {
        let names: Vec<String> = (0..6).map(|n| format!("g{n}")).collect();
        let asked_for: BTreeSet<String> = names.iter().cloned().collect();
        let available = Counts::count(std::iter::repeat_n(asked_for.clone(), 9));
        let found = least(&available, &asked_for, |c| names.iter().all(|name| c.of(name) >= 4));
        assert_eq!(words(&found), ["4 g0+4 g1+4 g2+4 g3+4 g4+4 g5"]);
    }
}
