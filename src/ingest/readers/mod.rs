//! One file a format. (helper: readers)
