//! What is counted: the budget and the tally.

use selvedge::threads::{Budget, Tally};
use std::sync::Arc;

#[test]
fn a_budget_is_drawn_and_given_back() {
    let budget = Budget::new(100);
    let (mut first, mut second) = (budget.share(), budget.share());
    assert!(first.draw(60) && second.draw(30) && first.draw(10));
    assert!(!second.draw(1) && second.draw(0));
    assert!(!second.draw(usize::MAX), "and nothing wraps");
    drop(first);
    assert_eq!(budget.left(), 70);
    assert!(second.draw(70));
    drop(second);
    assert_eq!(budget.left(), 100);
    let mut share = budget.share();
    assert_eq!(share.draw_up_to(10, 70), Some(70), "as much as is wanted");
    assert_eq!(share.draw_up_to(10, 70), Some(30), "as much as there is");
    assert_eq!((share.draw_up_to(1, 70), share.draw_up_to(0, 70), share.drawn()), (None, Some(0), 100));
    drop(share);
    assert_eq!(budget.left(), 100);
}

#[test]
fn a_tally_has_a_cap_for_each_key_and_forgets_who_has_none() {
    let tally = Arc::new(Tally::new(Some(2)));
    let marks = [tally.mark('a'), tally.mark('a'), tally.mark('a'), tally.mark('b')];
    assert_eq!(marks.each_ref().map(Option::is_some), [true, true, false, true]);
    assert_eq!((tally.count(&'a'), tally.count(&'b'), tally.count(&'c'), tally.keys()), (2, 1, 0, 2));
    assert_eq!(marks[3].as_ref().map(|mark| *mark.key()), Some('b'));
    drop(marks);
    assert_eq!((tally.count(&'a'), tally.keys()), (0, 0));
    let uncapped = Arc::new(Tally::new(None));
    let marks: Vec<_> = (0..1000).filter_map(|_| uncapped.mark('a')).collect();
    assert_eq!((marks.len(), uncapped.count(&'a')), (1000, 1000));
}
