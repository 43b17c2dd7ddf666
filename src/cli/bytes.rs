//! A count of bytes as people write it.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A count of bytes: `500000000`, `500 MB`, `1.5TiB`. A thousand is `kB`, `MB`, `GB`, `TB`; 1024 is `KiB`, `MiB`, `GiB`, `TiB`;
/// in capitals or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteCount(pub u64);

/// A text that is no count of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes are written as 500000000, 500 MB or 1.5 TiB, from 1 on")]
pub struct NotBytes;

/// The units, with what they stand for.
const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("mb", 1000_u64.pow(2)),
    ("gb", 1000_u64.pow(3)),
    ("tb", 1000_u64.pow(4)),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

impl FromStr for ByteCount {
    type Err = NotBytes;

    fn from_str(text: &str) -> Result<Self, NotBytes> {
        let text = text.trim();
        let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_lowercase();
        let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(NotBytes)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: u128 = whole.parse().map_err(|_| NotBytes)?;
        let mut bytes = whole.checked_mul(unit.into()).ok_or(NotBytes)?;
        if !fraction.is_empty() {
            // Nine places are more than anyone writes, and never too long for what they are multiplied with.
            let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= 9).ok_or(NotBytes)?;
            let part: u128 = fraction.parse().map_err(|_| NotBytes)?;
            bytes += part * u128::from(unit) / 10_u128.pow(places);
        }
        u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).map(Self).ok_or(NotBytes)
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl Visitor<'_> for Written {
            type Value = ByteCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count of bytes, such as 500000000 or \"500 MB\"")
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteCount, E> {
                u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).map(ByteCount).ok_or_else(|| E::custom(NotBytes))
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteCount, E> {
                if bytes > 0 { Ok(ByteCount(bytes)) } else { Err(E::custom(NotBytes)) }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteCount, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("1", 1),
            (" 500000000 ", 500_000_000),
            ("500MB", 500_000_000),
            ("500 mb", 500_000_000),
            ("20 GiB", 20 << 30),
            ("1.5TiB", 3 << 39),
            ("0.5kB", 500),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_count_of_bytes_is_none() {
        for text in
            ["", "0", "0 GB", "-1", "MB", "5 XB", "1.2.3", ".5", "1e9", "16777217 TiB", "99999999999999999999999"]
        {
            assert_eq!(text.parse::<ByteCount>(), Err(NotBytes), "{text}");
        }
        assert_eq!("1.0000000001 TB".parse::<ByteCount>(), Err(NotBytes));
    }

    #[test]
    fn the_file_has_them_as_numbers_or_texts() {
        #[derive(serde::Deserialize)]
        struct File {
            bytes: ByteCount,
        }
        let read = |text: &str| toml::from_str::<File>(text).map(|file| file.bytes.0);
        assert_eq!(read("bytes = 7"), Ok(7));
        assert_eq!(read("bytes = '7 kB'"), Ok(7000));
        for bad in ["bytes = 0", "bytes = -1", "bytes = 'many'", "bytes = 1.5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
