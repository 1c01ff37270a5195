//! Which threads do the work? A few that are kept awake for the microseconds between two products.
//!
//! One token passes through some 150 parallel steps of 20 to 200 µs each, so handing a step over must
//! cost about one. Workers spin for [`SPINS`] turns and then sleep; whoever calls works too, and a worker
//! that the machine has put aside is not waited for unless it has already taken a piece. Knows nothing of
//! what is computed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};

/// Turns of waiting before a worker sleeps: some 50 µs, longer than the serial steps between products.
const SPINS: u32 = 2_000;

/// State word: the job's number, whether workers may still join it, how many have.
const JOINED: u64 = (1 << 16) - 1;
const OPEN: u64 = 1 << 16;
const NUMBER: u64 = 1 << 17;

/// Threads, the caller included. One caller at a time.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<(Thread, Option<JoinHandle<()>>)>,
}

/// The job's function, its lifetime erased; only read by workers that joined an open job.
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(usize) + Sync));

struct Shared {
    state: AtomicU64,
    job: std::cell::UnsafeCell<Option<Job>>,
    next: AtomicUsize,
    tasks: AtomicUsize,
    panicked: AtomicBool,
    ending: AtomicBool,
    asleep: Vec<AtomicBool>,
}

// SAFETY: `job` is written only by the one caller, while no job is open and no worker has joined (see
// `Pool::run`), and read only by workers between joining and leaving; the two are ordered by `state`.
// The pointer in it is to a `Sync` closure.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Shared {}

impl Pool {
    /// How many threads [`Pool::new`] asks the system for.
    pub(crate) fn count(threads: usize) -> usize {
        match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            some => some.min(256),
        }
    }

    /// `threads` in all; 0 is one a processor.
    pub(crate) fn new(threads: usize) -> Pool {
        let threads = Pool::count(threads);
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: std::cell::UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            asleep: (1..threads).map(|_| AtomicBool::new(false)).collect(),
        });
        let spawn = |index: usize| {
            let shared = shared.clone();
            let name = format!("sectora-lm-{}", index + 1);
            std::thread::Builder::new().name(name).spawn(move || work(&shared, index)).ok()
        };
        // A machine that refuses more threads computes with those it gave.
        let workers = (0..threads - 1).map_while(spawn).map(|handle| (handle.thread().clone(), Some(handle)));
        let workers = workers.collect();
        Pool { shared, workers }
    }

    /// Threads, the caller included.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f` once for each of `0..tasks`, in no order, and returns when all have ended.
    pub(crate) fn run(&mut self, tasks: usize, f: &(dyn Fn(usize) + Sync)) {
        if tasks <= 1 || self.workers.is_empty() {
            (0..tasks).for_each(f);
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. Workers use the pointer between joining and leaving this job,
        // and `Closing`, dropped before `f` goes out of scope even when it panics, forbids joining and
        // waits until all have left.
        let job =
            Job(unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(f) });
        // SAFETY: no job is open and nobody has joined: the last `Closing` saw to that, and `&mut self`
        // means there is no other caller.
        unsafe { *shared.job.get() = Some(job) };
        shared.panicked.store(false, Ordering::Relaxed);
        shared.tasks.store(tasks, Ordering::Relaxed);
        shared.next.store(0, Ordering::Relaxed);
        let number = shared.state.load(Ordering::Relaxed) & !(JOINED | OPEN);
        shared.state.store(number.wrapping_add(NUMBER) | OPEN, Ordering::SeqCst);
        {
            let _closing = Closing(shared);
            for ((worker, _), asleep) in self.workers.iter().zip(&shared.asleep) {
                if asleep.load(Ordering::SeqCst) && asleep.swap(false, Ordering::SeqCst) {
                    worker.unpark();
                }
            }
            shared.take(f);
        }
        if shared.panicked.swap(false, Ordering::Relaxed) {
            resume_unwind(Box::new("a worker thread panicked; its message is above"));
        }
    }

    /// Calls `f` with each piece of `len` elements of `all` (the last may be shorter) and its number.
    pub(crate) fn chunks<T: Send>(&mut self, all: &mut [T], len: usize, f: &(dyn Fn(usize, &mut [T]) + Sync)) {
        let (total, len) = (all.len(), len.max(1));
        let base = Shareable(all.as_mut_ptr());
        self.run(total.div_ceil(len), &|index| {
            let begin = index * len;
            // SAFETY: each index is handed out once, so the pieces `begin..begin + len` are disjoint parts
            // of `all`, which is borrowed mutably until `run` returns; `T: Send`.
            let piece = unsafe { std::slice::from_raw_parts_mut(base.get().add(begin), len.min(total - begin)) };
            f(index, piece);
        });
    }
}

/// Closes the job and waits for those who joined.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::SeqCst);
        let mut turns = 0u32;
        while self.0.state.load(Ordering::Acquire) & JOINED != 0 {
            turns = turns.wrapping_add(1);
            // The worker may need this very processor.
            if turns > SPINS { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        for (worker, handle) in &mut self.workers {
            worker.unpark();
            if let Some(handle) = handle.take() {
                // Panics of jobs were caught; nothing else runs there.
                let _ = handle.join();
            }
        }
    }
}

impl Shared {
    fn take(&self, f: &(dyn Fn(usize) + Sync)) {
        let tasks = self.tasks.load(Ordering::Relaxed);
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                return;
            }
            f(task);
        }
    }

    /// Joins the job numbered in `state`, if it is open still.
    fn join(&self, state: u64) -> bool {
        let mut now = state;
        while now & OPEN != 0 && now & !(JOINED | OPEN) == state & !(JOINED | OPEN) {
            match self.state.compare_exchange_weak(now, now + 1, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) => now = other,
            }
        }
        false
    }
}

fn work(shared: &Shared, index: usize) {
    let mut seen = 0u64;
    let mut turns = 0;
    loop {
        let state = shared.state.load(Ordering::SeqCst);
        let number = state & !(JOINED | OPEN);
        if state & OPEN != 0 && number != seen {
            seen = number;
            turns = 0;
            if shared.join(state) {
                // SAFETY: joined, so the caller waits in `Closing` and neither `job` nor what it points to
                // changes before `fetch_sub` below.
                let job = unsafe { *shared.job.get() };
                if let Some(Job(f)) = job {
                    // SAFETY: as above.
                    let f = unsafe { &*f };
                    if catch_unwind(AssertUnwindSafe(|| shared.take(f))).is_err() {
                        shared.panicked.store(true, Ordering::Relaxed);
                    }
                }
                shared.state.fetch_sub(1, Ordering::Release);
            }
            continue;
        }
        if shared.ending.load(Ordering::Relaxed) {
            return;
        }
        turns += 1;
        if turns < SPINS {
            std::hint::spin_loop();
            continue;
        }
        turns = 0;
        shared.asleep[index].store(true, Ordering::SeqCst);
        let state = shared.state.load(Ordering::SeqCst);
        let nothing = state & OPEN == 0 || state & !(JOINED | OPEN) == seen;
        if nothing && !shared.ending.load(Ordering::SeqCst) {
            std::thread::park();
        }
        shared.asleep[index].store(false, Ordering::SeqCst);
    }
}

/// A pointer that tasks share; what each does with it is argued where it is used.
pub(super) struct Shareable<T>(*mut T);

// SAFETY: handing the pointer over is harmless; its uses carry their own arguments.
unsafe impl<T: Send> Sync for Shareable<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shareable<T> {}

impl<T> Shareable<T> {
    pub(super) fn new(pointer: *mut T) -> Shareable<T> {
        Shareable(pointer)
    }

    pub(super) fn get(&self) -> *mut T {
        self.0
    }
}

impl<T> Clone for Shareable<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shareable<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_exactly_once_for_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let mut pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for round in 0..2_000 {
                let tasks = round % 37;
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tasks, &|task| {
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "{threads} threads, {tasks} tasks");
            }
        }
    }

    #[test]
    fn workers_that_fell_asleep_wake_up() {
        let mut pool = Pool::new(3);
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(3));
            let mut all = vec![0u32; 100];
            pool.chunks(&mut all, 7, &|index, piece| piece.fill(index as u32));
            assert!(all.iter().enumerate().all(|(i, &x)| x as usize == i / 7));
        }
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller_and_the_pool_goes_on() {
        let mut pool = Pool::new(2);
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(16, &|task| assert_ne!(task, 9, "on purpose"));
            }));
            assert!(result.is_err());
            let sum = AtomicUsize::new(0);
            pool.run(10, &|task| {
                sum.fetch_add(task, Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 45);
        }
    }
}
