//! Which lessons there are.

mod stage;

use stage::Stage;
use stage::catalogue::LESSONS;

fn main() {
    let stage = Stage::open("lessons");
    stage.say(
        "Threads under attack. Each lesson shows a few honest lines of a naive server, attacks them, and lets you watch them \
         fall; then it does the same to selvedge, and says why nothing happens and where to read on. They run on this \
         machine alone, take a few seconds each, and leave nothing behind. Best in this order:",
    );
    for lesson in &LESSONS {
        stage.line(&format!("{}: {}", stage.bold(lesson.name), lesson.title));
        stage.say(lesson.sentence);
        stage.line(&format!("    cargo run --example {}", lesson.name));
        stage.line("");
    }
}
