//! Which lessons there are.

mod stage;

use stage::Stage;
use stage::catalogue::LESSONS;

fn main() {
    let stage = Stage::open("lessons");
    stage.say(
        "Each lesson shows a few honest lines of a naive server, attacks them, and lets you watch them fall. Then it does the \
         same to selvedge, and says why nothing happens and where to read on. They run on this machine alone, take a few \
         seconds each, and leave nothing behind. Best in this order:",
    );
    for lesson in &LESSONS {
        stage.entry(lesson.name, lesson.sentence);
    }
    stage.say("To run the first one:");
    stage.line(&format!("    {}", stage.bold(&format!("cargo run --example {}", LESSONS[0].name))));
    stage.line("");
}
