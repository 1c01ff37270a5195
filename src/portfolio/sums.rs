//! What do amounts of several projects come to? One sum for each currency: nobody here knows exchange rates.
//!
//! In: amounts. Out: [`Sum`]s. Amounts without a stated currency are a sum of their own; they may be of any, even of several.

use std::cmp::Reverse;

use serde::Serialize;

use crate::text::money::Money;

/// Amounts of one currency, added.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sum {
    /// ISO 4217 code; `None` for the amounts whose currency no source states.
    pub currency: Option<&'static str>,
    /// In the currency's base unit, where one is stated.
    pub amount: f64,
    /// Projects whose amounts these are.
    pub projects: usize,
}

/// The sums of `amounts`, one of each project: the currency of most projects first, of equals by its code, the unstated last.
pub fn by_currency(amounts: impl Iterator<Item = Money>) -> Vec<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    for Money { amount, currency } in amounts {
        match sums.iter_mut().find(|sum| sum.currency == currency) {
            Some(sum) => {
                sum.amount += amount;
                sum.projects += 1;
            }
            None => sums.push(Sum { currency, amount, projects: 1 }),
        }
    }
    sums.sort_by_key(|sum| (Reverse(sum.projects), sum.currency.is_none(), sum.currency));
    sums
}

/// Which of `sums` is in this currency: the order in which rows of several currencies stand.
pub(super) fn place(sums: &[Sum], currency: Option<&str>) -> usize {
    sums.iter().position(|sum| sum.currency == currency).unwrap_or(sums.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_never_added_and_the_unstated_one_is_a_group_of_its_own() {
        let money = |(amount, currency)| Money { amount, currency };
        let amounts = [
            (900_000.0, Some("USD")),
            (1.2e9, Some("KRW")),
            (7.0, None),
            (3e8, Some("KRW")),
            (2e6, Some("EUR")),
            (5.0, None),
        ];
        let sum = |currency, amount, projects| Sum { currency, amount, projects };
        let sums = by_currency(amounts.into_iter().map(money));
        assert_eq!(
            sums,
            [sum(Some("KRW"), 1.5e9, 2), sum(None, 12.0, 2), sum(Some("EUR"), 2e6, 1), sum(Some("USD"), 9e5, 1)]
        );
        assert_eq!([place(&sums, Some("KRW")), place(&sums, None), place(&sums, Some("GBP"))], [0, 1, 4]);
        assert!(by_currency(std::iter::empty()).is_empty());
        assert_eq!(
            serde_json::to_value(&sums[..2]).unwrap(),
            serde_json::json!([
                { "currency": "KRW", "amount": 1.5e9, "projects": 2 },
                { "currency": null, "amount": 12.0, "projects": 2 }
            ])
        );
    }
}
