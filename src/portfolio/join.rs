//! Which projects are new, and which are their neighbours? The step of [`super::landscape`] before anything is judged.
//!
//! In: the portfolio and what an earlier run remembers. Out: the neighbours of every project, complete again.

use super::PortfolioError;
use super::holdings::Holdings;
use super::landscape::LandscapeOptions;
use super::neighbours::{Neighbours, Scratch, ranked};
use super::remembered::Remembered;
use super::store_join::{BATCH, StoreJoin};
use crate::retrieve::Parts;

/// Neighbours a pair is seen among, for each that is judged.
const CONTEXT: usize = 2;
/// Compared by words for each neighbour that is kept: a list is complete if the right ones are among so many.
const COMPARED: usize = 3;

/// Where candidates for neighbours come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// Lists and cells in this process.
    #[default]
    Memory,
    /// The vector store, in batches.
    Store,
}

/// Completes the neighbours; returns the projects that are new or whose neighbours are others now, in order.
pub(super) fn join(
    parts: &Parts<'_>,
    holdings: &Holdings,
    known: &mut Remembered,
    options: &LandscapeOptions,
    floor: f32,
) -> Result<Vec<usize>, PortfolioError> {
    let new: Vec<usize> = (0..holdings.all.len()).filter(|i| known.near[*i].is_none()).collect();
    if new.is_empty() {
        return Ok(new);
    }
    // The nearest are judged; the next ones are what they are seen among.
    let k = options.neighbours * CONTEXT;
    let found = match options.join {
        Join::Memory => near_in_memory(holdings, &new, COMPARED * k, floor),
        Join::Store => near_by_store(parts, holdings, &new, COMPARED * k, floor)?,
    };
    let mut changed: Vec<usize> = new.clone();
    for (i, near) in found {
        for &(j, alike) in &near {
            // A new project may stand among the nearest of an old one.
            if let Some(list) = &mut known.near[j]
                && new.binary_search(&j).is_err()
                && placed(list, k, (i, alike))
            {
                changed.push(j);
            }
        }
        let mut near = near;
        near.truncate(k);
        known.near[i] = Some(near);
    }
    changed.sort_unstable();
    changed.dedup();
    Ok(changed)
}

/// Puts a project among the `k` nearest of another; false where nothing changes. One whose own neighbours have gone
/// counts as new and may stand there already: it stands once, by the better of its two figures.
fn placed(list: &mut Vec<(usize, f32)>, k: usize, (i, alike): (usize, f32)) -> bool {
    match list.iter().position(|near| near.0 == i) {
        Some(at) if list[at].1 < alike => list.retain(|near| near.0 != i),
        None if list.len() < k || list.last().is_some_and(|last| last.1 < alike) => {}
        Some(_) | None => return false,
    }
    list.push((i, alike));
    list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    list.truncate(k);
    true
}

/// A project and those that were compared with it and are alike, best first.
type Near = (usize, Vec<(usize, f32)>);

fn near_in_memory(holdings: &Holdings, projects: &[usize], most: usize, floor: f32) -> Vec<Near> {
    let neighbours = Neighbours::new(holdings);
    let shares = in_threads(projects, |mine| {
        let mut scratch = Scratch::new(holdings.all.len());
        mine.iter().map(|&i| (i, neighbours.all(i, most, floor, &mut scratch))).collect::<Vec<_>>()
    });
    shares.into_iter().flatten().collect()
}

fn near_by_store(
    parts: &Parts<'_>,
    holdings: &Holdings,
    projects: &[usize],
    most: usize,
    floor: f32,
) -> Result<Vec<Near>, PortfolioError> {
    let shares = in_threads(projects, |mine| -> Result<Vec<Near>, PortfolioError> {
        let store = StoreJoin::new(parts, holdings);
        let mut out = Vec::with_capacity(mine.len());
        for batch in mine.chunks(BATCH) {
            let found = store.of(batch, most)?;
            out.extend(batch.iter().zip(found).map(|(&i, found)| (i, ranked(holdings, i, found, floor))));
        }
        Ok(out)
    });
    Ok(shares.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Gives each processor a share of `items`; results in order.
pub(super) fn in_threads<T: Send>(items: &[usize], work: impl Fn(&[usize]) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let share = items.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = items.chunks(share).map(|mine| scope.spawn(|| work(mine))).collect();
        workers.into_iter().map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::placed;

    #[test]
    fn a_project_stands_once_among_the_nearest_of_another_by_the_better_figure() {
        let mut list = vec![(11, 0.25), (4, 0.125)];
        assert!(!placed(&mut list, 3, (11, 0.1875)));
        assert_eq!(list, [(11, 0.25), (4, 0.125)]);
        assert!(placed(&mut list, 3, (4, 0.5)));
        assert_eq!(list, [(4, 0.5), (11, 0.25)]);
        assert!(placed(&mut list, 3, (7, 0.0625)) && placed(&mut list, 3, (8, 0.375)));
        assert_eq!(list, [(4, 0.5), (8, 0.375), (11, 0.25)]);
        assert!(!placed(&mut list, 3, (9, 0.25)), "no nearer than the last");
    }
}
