//! A store that keeps nothing and finds what a function says: where there is a portfolio but no index, and in tests.

use super::{Filter, Hit, IndexError, Point, Query, VectorStore};

/// Finds what the function gives for a query.
pub(crate) struct Answering<F>(pub(crate) F);

impl<F: Fn(&Query) -> Vec<Hit> + Send + Sync> VectorStore for Answering<F> {
    fn upsert(&self, _: Vec<Point>) -> Result<(), IndexError> {
        Ok(())
    }

    fn delete(&self, _: &[u64]) -> Result<(), IndexError> {
        Ok(())
    }

    fn query(&self, query: &Query) -> Result<Vec<Hit>, IndexError> {
        Ok(self.0(query))
    }

    fn count(&self, _: Option<&Filter>) -> Result<u64, IndexError> {
        Ok(0)
    }

    fn ids(&self, _: Option<u64>, _: usize) -> Result<Vec<u64>, IndexError> {
        Ok(Vec::new())
    }

    fn facet(&self, _: &str, _: Option<&Filter>) -> Result<Vec<(String, u64)>, IndexError> {
        Ok(Vec::new())
    }

    fn flush(&self) -> Result<(), IndexError> {
        Ok(())
    }

    fn maintain(&self) -> Result<(), IndexError> {
        Ok(())
    }
}
