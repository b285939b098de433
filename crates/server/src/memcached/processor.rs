//! The processor's time that this process has had, as `stats` tells it.

/// In seconds, with six places behind the point.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Used {
    /// In the program.
    pub(super) user: String,
    /// In the system's calls.
    pub(super) system: String,
}

/// What the system has counted up to now; nothing on systems that do not tell it as Linux does.
pub(super) fn used() -> Used {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    read(&told).unwrap_or_else(|| Used { user: seconds(0), system: seconds(0) })
}

/// Reads the 14th and the 15th field. The second is a name in parentheses, in which there may be anything.
fn read(told: &str) -> Option<Used> {
    let (_, behind_name) = told.rsplit_once(')')?;
    let mut ticks = behind_name.split_ascii_whitespace().skip(11).map(|field| field.parse().ok());
    Some(Used { user: seconds(ticks.next()??), system: seconds(ticks.next()??) })
}

/// Linux tells hundredths of seconds, whatever it counts in itself.
fn seconds(ticks: u64) -> String {
    format!("{}.{:02}0000", ticks / 100, ticks % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_whatever_the_program_is_called() {
        let told = "7 (a) 1 (b)) S 1 7 7 0 -1 4194304 122 0 0 0 123 4567 0 0 20 0 1 0 80 39";
        let expected = Used { user: "1.230000".to_owned(), system: "45.670000".to_owned() };
        assert_eq!(read(told), Some(expected));
        assert_eq!(read("nothing of the kind"), None);
    }
}
