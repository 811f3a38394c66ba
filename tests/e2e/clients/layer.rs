//! The files of a layer as a tar archive, and the ways to pack it, each by its simplest form.

/// A tar archive (<https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html>) of one
/// file.
pub(super) fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = [&header[..], content].concat();
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

/// How a layer's archive is packed.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// Packs an archive of less than 64 KiB, without making it smaller.
    pub(super) fn pack(self, archive: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => archive.to_vec(),
            Self::Gzip => gzip(archive),
            Self::Zstd => zstd(archive),
        }
    }
}

/// One stored block (<https://www.rfc-editor.org/rfc/rfc1952>,
/// <https://www.rfc-editor.org/rfc/rfc1951>).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("layers here are small");
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(bytes);
    packed.extend(checksum(bytes).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

/// One raw block (<https://www.rfc-editor.org/rfc/rfc8878>).
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("layers here are small");
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
    packed.extend(u32::from(length).to_le_bytes());
    let block = (u32::from(length) << 3) | 1;
    packed.extend(&block.to_le_bytes()[..3]);
    packed.extend(bytes);
    packed
}

/// CRC-32 as gzip has it.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
