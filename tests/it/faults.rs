//! What can break around the program, and what it does then. Every fault has a test with the outcome expected; this is the
//! list of all, those in other files included.
//!
//! | fault | outcome | test |
//! |---|---|---|
//! | no descriptors left | connections wait or get 503, no busy loop, service is back in a second | `anchors::descriptors` |
//! | all are held by who asks for nothing | they make room, who asks is served | `shortage::few_descriptors_serve` |
//! | no thread can be started | fewer serve; told once | `shortage::fewer_threads_serve` |
//! | no address space left (`ulimit -v`) | fewer serve, bodies are refused, nothing aborts | `shortage::little_address_space` |
//! | more memory than permitted | idle connections close, then 503, then all is well again | `cli::logs::memory_runs_out_and_comes_back` |
//! | a full disk under the logs | no request fails, lost lines are counted | `cli::logs::a_full_disk_fails_no_request` |
//! | nobody reads the logs | no request waits | `cli::logs::slow_readers_hold_up_nobody` |
//! | standard error closed | it goes on | `cli::survives_what_cannot_be_logged` |
//! | the wall clock steps | the Date field follows; no deadline moves | `clock::steps_of_the_wall_clock` |
//! | reset or half-close, in any phase | nobody else notices, nothing is kept | `leaving::*` |
//! | … in the middle of TLS' handshake | the same | `leaving::over_tls`, `tls::beginnings::handshakes_that_are_broken_off` |
//! | a handler panics | 500, or the answer is cut short; the thread lives | `anchors::panics_are_answered_and_cost_no_seat`, `baseline::nothing_is_kept` |
//! | a reader or a file fails | 500 while nothing is out, else the answer is cut short | `answers::bodies_that_fail_before_their_first_byte`, `answers::bodies_that_fail` |
//! | a handler hangs | reported, another stands in | `in_flight::others_stand_in_for_stuck_handlers` |
//! | 2,000 of each | threads, descriptors and memory stay | `baseline::nothing_is_kept`, `scripts/run-baseline` |
//! | SIGTERM under load | every request taken on is answered | `signals::ending_under_load` |
//! | … without a descriptor | doors close, and the file of a Unix socket goes | `signals::ending_without_descriptors` |
//! | SIGHUP under load | no request fails | `signals::reloading_under_load` |
//! | restarts on a socket that is passed | no request fails | `cli::restart::restarts_fail_nobody` |
//! | SIGKILL | the next one listens there at once, on TCP and on the file it left | `signals::killed_and_started_again` |

mod baseline;
mod clock;
mod leaving;
mod shortage;
mod signals;

#[path = "../../scripts/baseline/leave.rs"]
mod leave;
