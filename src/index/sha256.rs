//! SHA-256 in hexadecimal, of a file and of whatever is read.

use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Of everything in a file.
pub(super) fn of_file(path: &Path) -> Result<String> {
    Ok(copy(&mut fs_err::File::open(path)?, |_| Ok(()))?.1)
}

/// Hands what is read to `to`; how many bytes that were, and their hash. What cannot be read is [`ErrorKind::InvalidData`], unlike
/// what cannot be written.
pub(super) fn copy(reader: &mut dyn Read, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = reader.read(&mut buffer).map_err(|e| Error::new(ErrorKind::InvalidData, e))?;
        if n == 0 {
            return Ok((bytes, hex(&hasher.finalize())));
        }
        hasher.update(&buffer[..n]);
        to(&buffer[..n])?;
        bytes += n as u64;
    }
}

/// Two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
