//! The threads that serve one container. Each takes a trapped call, has it judged and answered, and takes the next. Before one
//! of them does anything that may sleep, it sees to it that another is left to take calls: so none waits for any other.
//!
//! A crew begins with one thread and grows when it has to; threads beyond [`SPARE`] end when they are idle. The one that is
//! left when no more may be made looks at no memory: what hangs on memory is refused then, the rest answered.
//!
//! Started by `watch`, which also calls [`Overseen`] for what takes too long.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::copyin::Described;
use crate::court::{Court, Shared, Sight};
use crate::desk::Desk;
use crate::interceptor::{Arrival, Caller, Divisible, Interceptor};
use crate::limits;
use crate::verdict::Registers;

/// Idle threads that are kept.
const SPARE: usize = 2;

/// Told how each thread ended whose end means something: no task is left, or the interceptor is of no use.
type Report<E> = dyn Fn(Result<(), E>) + Send + Sync;

/// The threads of one container.
pub(crate) struct Crew<I: Interceptor> {
    court: Court,
    /// What new threads get a handle of.
    interceptor: Mutex<I>,
    desks: Mutex<Vec<Arc<Desk>>>,
    /// Threads, and those of them that wait for a call.
    threads: AtomicUsize,
    idle: AtomicUsize,
    report: Box<Report<I::Error>>,
}

/// A crew as the main thread sees it.
pub(crate) trait Overseen: Send + Sync {
    /// Answers what has been looked at for too long.
    fn refuse_late(&self);

    /// Whether no thread is left.
    fn has_ended(&self) -> bool;
}

impl<I: Divisible> Crew<I> {
    /// Without a thread yet.
    pub(crate) fn new(
        interceptor: I,
        court: Court,
        report: impl Fn(Result<(), I::Error>) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            court,
            interceptor: Mutex::new(interceptor),
            desks: Mutex::default(),
            threads: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            report: Box::new(report),
        })
    }

    /// Starts the first thread, if there is none yet.
    ///
    /// # Errors
    /// As pthread_create(3).
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        if self.threads.load(Ordering::Relaxed) == 0 { self.spawn() } else { Ok(()) }
    }

    fn spawn(self: &Arc<Self>) -> std::io::Result<()> {
        let desk = Arc::new(Desk::default());
        let (this, own, interceptor) = (Arc::clone(self), Arc::clone(&desk), lock(&self.interceptor).second());
        self.threads.fetch_add(1, Ordering::Relaxed);
        self.idle.fetch_add(1, Ordering::Relaxed);
        let body = move || this.work(interceptor, &own);
        match std::thread::Builder::new().stack_size(limits::THREAD_STACK).spawn(body) {
            Ok(_detached) => {
                lock(&self.desks).push(desk);
                Ok(())
            }
            Err(error) => {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                self.threads.fetch_sub(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// A thread's life.
    fn work(self: Arc<Self>, mut interceptor: I, desk: &Arc<Desk>) {
        let end = loop {
            match interceptor.receive() {
                Ok(Arrival::Call(caller, registers)) => match self.take(&mut interceptor, desk, (caller, registers)) {
                    Ok(Stay::Yes) => {}
                    Ok(Stay::No) => return lock(&self.desks).retain(|other| !Arc::ptr_eq(other, desk)),
                    Err(error) => break Err(error),
                },
                Ok(Arrival::Nothing) => {}
                Ok(Arrival::End) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.idle.fetch_sub(1, Ordering::Relaxed);
        if self.threads.fetch_sub(1, Ordering::Relaxed) > 1 {
            self.court.shared.extra.fetch_sub(1, Ordering::Relaxed);
        }
        (self.report)(end);
    }

    /// Sees a call through.
    fn take(
        self: &Arc<Self>,
        interceptor: &mut I,
        desk: &Desk,
        (caller, registers): (Caller, Registers),
    ) -> Result<Stay, I::Error> {
        let described = Described::of(&registers.outline());
        let is_settled = without_a_look(&self.court, interceptor, caller, (&registers, described))?;
        if is_settled {
            return Ok(Stay::Yes);
        }
        let has_another = self.idle.fetch_sub(1, Ordering::Relaxed) > 1 || self.grow();
        let settled = if has_another {
            self.look(interceptor, desk, caller, (registers, described))
        } else {
            unseen(&self.court, interceptor, caller, (&registers, described), Sight::Crowded)
        };
        let stay = self.come_back();
        settled.map(|()| stay)
    }

    /// The part in which the caller's memory is looked at, under the eye of the main thread.
    fn look(
        &self,
        interceptor: &mut I,
        desk: &Desk,
        caller: Caller,
        (registers, described): (Registers, Described),
    ) -> Result<(), I::Error> {
        desk.open(caller, registers.outline());
        self.court.shared.begin_look();
        let request = described.request(&registers.follow());
        let close = || desk.close() && self.court.shared.end_look();
        self.court.settle(interceptor, (caller, request), Sight::Clear, close)
    }

    /// One thread more, if there may be one.
    fn grow(self: &Arc<Self>) -> bool {
        let extra = &self.court.shared.extra;
        let more = |taken: usize| (taken < limits::PENDING).then_some(taken + 1);
        if extra.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            return false;
        }
        let is_started = self.spawn().is_ok();
        if !is_started {
            extra.fetch_sub(1, Ordering::Relaxed);
        }
        is_started
    }

    /// Back from a call: whether the thread is to wait for the next one.
    fn come_back(&self) -> Stay {
        let one_more = |idle: usize| (idle < SPARE).then_some(idle + 1);
        if self.idle.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
            return Stay::Yes;
        }
        self.threads.fetch_sub(1, Ordering::Relaxed);
        self.court.shared.extra.fetch_sub(1, Ordering::Relaxed);
        Stay::No
    }
}

/// Whether a thread goes on.
enum Stay {
    Yes,
    No,
}

impl<I: Divisible> Overseen for Crew<I> {
    fn refuse_late(&self) {
        let desks: Vec<Arc<Desk>> = lock(&self.desks).clone();
        for late in desks.iter().filter_map(|desk| desk.take_late()) {
            self.court.shared.end_look();
            let mut interceptor = lock(&self.interceptor).second();
            let request = Described::of(&late.outline).request(&late.outline.blind());
            match self.court.settle(&mut interceptor, (late.caller, request), Sight::Late, || true) {
                // An interceptor that is of no use is told of by the threads that take calls from it.
                Ok(()) | Err(_) => {}
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.threads.load(Ordering::Relaxed) == 0
    }
}

/// Sees a call through if nothing hangs on its caller's memory; whether it did.
pub(crate) fn without_a_look<I: Interceptor>(
    court: &Court,
    interceptor: &mut I,
    caller: Caller,
    (registers, described): (&Registers, Described),
) -> Result<bool, I::Error> {
    let is_to_be_seen = described.looks_at_memory() && !court.needs_no_look(described.route, caller.since);
    if !is_to_be_seen {
        unseen(court, interceptor, caller, (registers, described), Sight::Clear)?;
    }
    Ok(!is_to_be_seen)
}

/// Sees a call through without a look at memory: nothing hangs on it, or nobody is there to take that risk.
pub(crate) fn unseen<I: Interceptor>(
    court: &Court,
    interceptor: &mut I,
    caller: Caller,
    (registers, described): (&Registers, Described),
    sight: Sight,
) -> Result<(), I::Error> {
    let request = described.request(&registers.outline().blind());
    court.settle(interceptor, (caller, request), sight, || true)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A call's memory is about to be looked at: the main thread is to see that it does not take too long.
    fn begin_look(&self) {
        self.looking.fetch_add(1, Ordering::SeqCst);
        if !self.is_guarded.swap(true, Ordering::SeqCst) {
            self.audit.wake_writer();
        }
    }

    /// It has been looked at, or will not be.
    fn end_look(&self) -> bool {
        self.looking.fetch_sub(1, Ordering::SeqCst);
        true
    }

    /// Whether the main thread is to look after those that look.
    pub(crate) fn is_guarded(&self) -> bool {
        self.is_guarded.load(Ordering::SeqCst)
    }

    /// The main thread turns away, unless it is still needed; whether it did.
    pub(crate) fn leave_unguarded(&self) -> bool {
        self.is_guarded.store(false, Ordering::SeqCst);
        // Counted before the flag is asked for: whoever comes in between is seen here, or wakes the main thread.
        let is_needed = self.looking.load(Ordering::SeqCst) > 0;
        if is_needed {
            self.is_guarded.store(true, Ordering::SeqCst);
        }
        !is_needed
    }
}
