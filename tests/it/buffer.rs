//! The bytes of a connection: where they are, and how much room there is for more.

use selvedge::http1::Buffer;

const BOUND: usize = 40_000;

/// Puts `text` in as if it had been read.
fn put(buffer: &mut Buffer, text: &[u8]) {
    let room = buffer.room(text.len(), BOUND).expect("room");
    room[..text.len()].copy_from_slice(text);
    buffer.filled(text.len());
}

fn room(buffer: &mut Buffer, least: usize, bound: usize) -> Option<usize> {
    buffer.room(least, bound).map(|room| room.len())
}

#[test]
fn one_message_after_the_other() {
    let mut buffer = Buffer::new();
    assert!(buffer.is_empty() && buffer.message().is_empty());
    put(&mut buffer, b"first");
    put(&mut buffer, b"second");
    assert!(!buffer.is_empty());
    assert_eq!(buffer.message(), b"firstsecond");
    buffer.advance(5);
    buffer.extend(b" third");
    assert_eq!(buffer.message(), b"second third");
    buffer.truncate(6);
    put(&mut buffer, b"!");
    assert_eq!(buffer.message(), b"second!");
    buffer.truncate(100);
    assert_eq!(buffer.message(), b"second!");
    buffer.advance(3);
    buffer.truncate(2);
    assert_eq!(buffer.message(), b"on");
    // More than there is.
    buffer.advance(100);
    assert!(buffer.is_empty() && buffer.message().is_empty());
    let mut buffer = Buffer::new();
    assert_eq!(room(&mut buffer, 1, BOUND), Some(1024));
    buffer.filled(1 << 20);
    assert_eq!(buffer.message().len(), 1024, "what was never there does not count");
}

/// Room grows by doubling, as far as a message needs and no further than its bound; used-up bytes make room first.
#[test]
fn room_grows_up_to_the_bound() {
    let mut buffer = Buffer::new();
    assert_eq!(room(&mut buffer, 1, BOUND), Some(1024), "what most heads need");
    assert_eq!(room(&mut buffer, 1, 100), Some(100));
    buffer.filled(1000);
    assert_eq!(room(&mut buffer, 24, BOUND), Some(24), "just enough");
    assert_eq!(room(&mut buffer, 25, BOUND), Some(2048 - 1000));
    assert_eq!(room(&mut buffer, 5000, BOUND), Some(5000));
    assert_eq!(room(&mut buffer, 5000, 1010), Some(10), "no more than may come");
    assert_eq!((room(&mut buffer, 1, 1000), room(&mut buffer, 1, 999)), (None, None));
    assert_eq!(buffer.message().len(), 1000);

    let mut buffer = Buffer::new();
    put(&mut buffer, &[b'a'; 600]);
    put(&mut buffer, &[b'b'; 400]);
    buffer.advance(600);
    assert_eq!(room(&mut buffer, 24, 410), Some(10), "the bound is of the message at hand");
    assert_eq!(room(&mut buffer, 24, BOUND), Some(24), "nothing is moved for what fits");
    assert_eq!(room(&mut buffer, 624, BOUND), Some(624), "in the place of what has been used up");
    assert_eq!(buffer.message(), [b'b'; 400]);
    put(&mut buffer, &[b'c'; 624]);
    assert_eq!((&buffer.message()[..400], &buffer.message()[400..]), (&[b'b'; 400][..], &[b'c'; 624][..]));
    buffer.advance(24);
    assert_eq!(room(&mut buffer, 1000, BOUND), Some(1048), "moved, and doubled");
    assert_eq!((buffer.message().len(), buffer.message()[375], buffer.message()[376]), (1000, b'b', b'c'));
}

/// What one large message took is given back, once it has been dealt with; a small one like the last has room at once.
#[test]
fn only_an_empty_buffer_is_made_to_fit() {
    let mut buffer = Buffer::new();
    put(&mut buffer, &[b'a'; 5000]);
    buffer.fit(100);
    assert_eq!(buffer.message(), [b'a'; 5000]);
    buffer.advance(5000);
    assert_eq!(room(&mut buffer, 1, BOUND), Some(5000));
    for (message, expected) in [
        (100, 1024),
        (1024, 1024),
        (1025, 2048),
        (2049, 4096),
        (4096, 4096),
        (1500, 2048),
        (4097, 1024),
        (0, 1024),
    ] {
        buffer.fit(message);
        assert_eq!(room(&mut buffer, 1, BOUND), Some(expected), "{message}");
    }
    // Whose first byte is still awaited takes no memory.
    let mut buffer = Buffer::new();
    buffer.fit(100);
    assert_eq!(format!("{buffer:?}"), format!("{:?}", Buffer::new()));
}
