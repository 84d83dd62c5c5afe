//! Values of settings: what is read is shown as something that is read as the same, and is within the bounds that are told.

use selvedge::Config;
use selvedge::config::{AddressSource, Network, SETTINGS};

pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    for setting in SETTINGS {
        let mut config = Config::default();
        if let Err(problem) = (setting.set)(&mut config, text) {
            assert_eq!(config, Config::default(), "changed, though refused");
            assert!(problem.contains("permitted"), "no help: {problem}");
            continue;
        }
        let shown = (setting.show)(&config);
        let mut again = Config::default();
        assert_eq!((setting.set)(&mut again, &shown), Ok(()), "{}: {shown}", setting.name);
        assert_eq!(again, config, "{}: {shown}", setting.name);
        assert!(text.is_ascii() && text.len() < 1000 || text.starts_with('0'), "read {text:?}");
    }
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse(), Ok(network));
        let address = network.to_string().split_once('/').map(|(address, _)| address.parse());
        let Some(Ok(address)) = address else { panic!("no address: {network}") };
        assert!(network.contains(address), "{network}");
    }
    if let Ok(source) = text.parse::<AddressSource>() {
        assert!(AddressSource::ALL.contains(&(text, source)));
    }
}
