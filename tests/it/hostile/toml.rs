//! The configuration file: what is read is printed as a file that is read as the same, and what is wrong is told in lines.

use selvedge::cli::config_of;

pub fn check(bytes: &[u8]) {
    match config_of(bytes) {
        Ok(printed) => {
            let again =
                config_of(printed.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}: {printed}"));
            // From then on it is the same to the letter, the lines it says things stand in included.
            assert_eq!(config_of(again.as_bytes()), Ok(again.clone()));
            let values = |text: &str| {
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                lines
                    .map(|line| line.rsplit_once(" # ").map_or(line, |(value, _)| value).to_owned())
                    .collect::<Vec<_>>()
            };
            assert_eq!(values(&again), values(&printed));
        }
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= 20);
            assert!(problems.iter().all(|problem| problem.starts_with("file:")), "{problems:?}");
        }
    }
}
