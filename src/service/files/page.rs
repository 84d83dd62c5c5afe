//! A listing as a page: HTML without scripts or inline styles, so that it keeps to the server's own content security
//! policy.

use super::kind::Kind;
use super::listing::{Entry, Key, Listing, MAX_ENTRIES, Order, show};
use super::path::{Below, encode};
use super::represent::{Asked, Content, Representation};
use super::validators::Validators;
use crate::message::{Body, Response};
use crate::record::Utc;
use crate::sanitize::escape_html;
use http::HeaderValue;
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

/// Where the page's own files are: a path no file below a root can have.
const ASSETS: &str = "/.selvedge/";

/// A file that belongs to the page.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

static STYLE: Asset =
    Asset { name: "listing.css", kind: "text/css; charset=utf-8", text: include_str!("listing.css") };
static ICON: Asset =
    Asset { name: "icon.svg", kind: "image/svg+xml; charset=utf-8", text: include_str!("icon.svg") };

/// The file of the page that `path` names.
pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    let name = path.strip_prefix(ASSETS)?;
    [&STYLE, &ICON].into_iter().find(|asset| asset.name == name)
}

impl Asset {
    pub(super) fn answer(&self, asked: &Asked<'_>) -> Response {
        let representation = Representation {
            content: Content::Body(Body::from(self.text)),
            kind: HeaderValue::from_static(self.kind),
            coding: None,
            validators: self.validators(),
            vary: None,
            // Pages ask for it by its version.
            cache_control: Some(HeaderValue::from_static("public, max-age=31536000, immutable")),
        };
        representation.answer(asked)
    }

    fn validators(&self) -> Validators {
        Validators::of_bytes(self.text.as_bytes())
    }

    /// Where a page `depth` directories below the root finds it, and in which version.
    fn url(&self, depth: usize) -> String {
        let tag = self.validators().tag;
        let version: String =
            tag.iter().flat_map(|tag| tag.as_str().chars()).filter(char::is_ascii_hexdigit).collect();
        format!("{}{}{}?v={version}", up(depth), &ASSETS[1..], self.name)
    }
}

/// The page of the directory at `below`. Links are relative, so that they lead where they should behind a gateway that
/// takes off a prefix.
pub(super) fn render(below: &Below, listing: &Listing, order: Order) -> String {
    let depth = below.names().count();
    let mut page = String::with_capacity(4096 + 400 * listing.entries.len());
    let title = show(below.as_bytes());
    // Writing to memory does not fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>/{}</title>\n\
         <link rel=\"stylesheet\" href=\"{}\">\n<link rel=\"icon\" href=\"{}\" type=\"image/svg+xml\">\n\
         </head>\n<body>\n{SYMBOLS}<main>\n",
        escape_html(&title),
        STYLE.url(depth),
        ICON.url(depth),
    );
    push_breadcrumb(&mut page, below, depth);
    page.push_str("<table>\n<thead><tr>");
    for key in Key::ALL {
        push_heading(&mut page, key, order);
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    if depth > 0 {
        page.push_str(
            "<tr><td><a href=\"../\"><svg aria-hidden=\"true\"><use href=\"#up\"/></svg>\
             <span>Parent folder</span></a></td><td></td><td></td></tr>\n",
        );
    }
    for entry in &listing.entries {
        push_row(&mut page, entry);
    }
    page.push_str("</tbody>\n</table>\n");
    push_summary(&mut page, listing);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn push_breadcrumb(page: &mut String, below: &Below, depth: usize) {
    page.push_str("<nav aria-label=\"Path\"><ol>");
    let home = "<svg aria-hidden=\"true\"><use href=\"#home\"/></svg><span>Home</span>";
    for (at, name) in std::iter::once(None).chain(below.names().map(Some)).enumerate() {
        let label = name.map_or(home.into(), |name| format!("<bdi>{}</bdi>", escape_html(&show(name))));
        let _ = if at == depth {
            write!(page, "<li><b aria-current=\"page\">{label}</b></li>")
        } else {
            write!(page, "<li><a href=\"{}\">{label}</a></li>", up(depth - at))
        };
    }
    page.push_str("</ol></nav>\n");
}

/// A column's heading, which is a link that sorts by it: the other way round if that is how it is sorted already.
fn push_heading(page: &mut String, key: Key, order: Order) {
    let is_current = order.key == key;
    // What is new or large is what is looked for first.
    let descending = if is_current { !order.descending } else { key != Key::Name };
    let label = match key {
        Key::Name => "Name",
        Key::Size => "Size",
        Key::Time => "Modified <small>UTC</small>",
    };
    let direction = |descending| if descending { "desc" } else { "asc" };
    let sorted = match (is_current, order.descending) {
        (true, false) => " aria-sort=\"ascending\"",
        (true, true) => " aria-sort=\"descending\"",
        (false, _) => "",
    };
    let (sort, order) = (key.as_str(), direction(descending));
    let _ = write!(
        page,
        "<th scope=\"col\"{sorted}><a href=\"?sort={sort}&amp;order={order}\" rel=\"nofollow\">\
         {label}</a></th>"
    );
}

fn push_row(page: &mut String, entry: &Entry) {
    let slash = if entry.is_directory { "/" } else { "" };
    let icon = if entry.is_directory { "folder" } else { icon(Kind::of(&entry.name).essence) };
    let _ = write!(
        page,
        "<tr><td><a href=\"{}{slash}\"><svg aria-hidden=\"true\"><use href=\"#{icon}\"/></svg>\
         <bdi>{}{slash}</bdi></a></td>",
        encode(&entry.name),
        escape_html(&entry.shown),
    );
    let _ = if entry.is_directory {
        write!(page, "<td></td>")
    } else {
        write!(page, "<td title=\"{} bytes\">{}</td>", entry.size, Size(entry.size))
    };
    let _ = match time(entry.modified) {
        Some(time) => writeln!(page, "<td><time>{time}</time></td></tr>"),
        None => writeln!(page, "<td></td></tr>"),
    };
}

fn push_summary(page: &mut String, listing: &Listing) {
    let folders = listing.entries.iter().filter(|entry| entry.is_directory).count();
    let files = listing.entries.len() - folders;
    let total = listing.entries.iter().filter(|entry| !entry.is_directory).map(|entry| entry.size);
    let total = total.fold(0, u64::saturating_add);
    let plural = |count| if count == 1 { "" } else { "s" };
    let _ = match (folders, files) {
        (0, 0) => write!(page, "<p>This folder is empty"),
        (_, 0) => write!(page, "<p>{folders} folder{}", plural(folders)),
        (0, _) => write!(page, "<p>{files} file{}, {}", plural(files), Size(total)),
        _ => write!(
            page,
            "<p>{folders} folder{}, {files} file{}, {}",
            plural(folders),
            plural(files),
            Size(total)
        ),
    };
    if listing.is_cut {
        let _ = write!(page, ". <strong>There is more here: only {MAX_ENTRIES} entries are listed.</strong>");
    }
    page.push_str("</p>\n");
}

/// As many directories up; nothing would be this page with its query.
fn up(levels: usize) -> String {
    if levels == 0 { "./".into() } else { "../".repeat(levels) }
}

/// Which of the symbols a media type has.
fn icon(essence: &str) -> &'static str {
    match essence.split('/').next() {
        Some("image") => "image",
        Some("audio" | "video") => "media",
        Some("text") => "text",
        _ => match essence {
            "application/pdf" | "application/json" | "application/xml" => "text",
            "application/zip"
            | "application/gzip"
            | "application/zstd"
            | "application/x-tar"
            | "application/x-xz"
            | "application/x-bzip2"
            | "application/x-7z-compressed"
            | "application/x-gzip"
            | "application/x-brotli" => "archive",
            _ => "file",
        },
    }
}

/// To the minute; nothing for what lies before 1970 or after 9999.
fn time(seconds: i64) -> Option<String> {
    let seconds = u64::try_from(seconds).ok().filter(|&seconds| seconds < 253_402_300_800)?;
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    let (day, time) =
        Utc(at).to_string().split_once('T').map(|(day, time)| (day.to_owned(), time.to_owned()))?;
    Some(format!("{day} {}", time.get(..5)?))
}

/// A size for people: `17 B`, `4.2 KiB`, `123 MiB`.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let (mut tenths, mut unit) = (u128::from(self.0) * 10 / 1024, 0);
        while tenths >= 10_240 && unit < 5 {
            tenths /= 1024;
            unit += 1;
        }
        let unit = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit];
        if tenths < 100 {
            write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
        } else {
            write!(f, "{} {unit}", tenths / 10)
        }
    }
}

/// Drawn once, shown in every row.
const SYMBOLS: &str = include_str!("symbols.svg");
