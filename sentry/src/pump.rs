//! The thread that traces one container: takes trapped calls, sees through at once what hangs on registers alone, and lends the
//! rest to a crew, which may sleep.
//!
//! Started by `watch`. What `crew` is for the listener; only where the kernel gives none.

use std::sync::Arc;
use std::time::Instant;

use crate::copyin::Described;
use crate::court::{Court, Sight};
use crate::crew::{self, Crew, Overseen};
use crate::errands::Errands;
use crate::interceptor::{Arrival, Interceptor};
use crate::limits;
use crate::ptrace::{TraceError, Tracer};

/// Serves until no tracee is left.
pub(crate) fn serve(
    mut tracer: Tracer,
    court: &Court,
    (errands, crew): (&Errands, &Arc<Crew<Errands>>),
) -> Result<(), TraceError> {
    let served = take_all(&mut tracer, court, crew);
    errands.end();
    // Whoever is not stuck puts down its last record.
    let begin = Instant::now();
    while !crew.has_ended() && begin.elapsed() < limits::THREAD_END {
        errands.wait(limits::TRACER_PAUSE);
    }
    served
}

fn take_all(tracer: &mut Tracer, court: &Court, crew: &Arc<Crew<Errands>>) -> Result<(), TraceError> {
    loop {
        let (caller, registers) = match tracer.receive()? {
            Arrival::Call(caller, registers) => (caller, registers),
            Arrival::Nothing => continue,
            Arrival::End => return Ok(()),
        };
        let described = Described::of(&registers.outline());
        if crew::without_a_look(court, tracer, caller, (&registers, described))? {
            continue;
        }
        match crew.start() {
            Ok(()) => tracer.lend(caller, registers),
            Err(_no_thread) => crew::unseen(court, tracer, caller, (&registers, described), Sight::Crowded)?,
        }
    }
}
