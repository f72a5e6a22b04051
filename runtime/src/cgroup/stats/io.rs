//! What a container read from block devices and wrote to them. Used by `stats` alone.

use serde::Serialize;

use super::files::Files;
use super::pressure::Pressure;
use crate::cgroup::error::CgroupError;

/// Transfers by device, of the container and of the cgroups below it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// In bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlockEntry>,
    /// In requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlockEntry>,
    /// Waits for a block device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// One kind of transfer of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockEntry {
    /// Major number of the device.
    pub major: u32,
    /// Minor number of the device.
    pub minor: u32,
    /// `Read`, `Write`, `Discard`, and on v1 further words of the kernel.
    pub op: String,
    /// Bytes or requests.
    pub value: u64,
}

/// v1: the numbers of the scheduler when it counts, else those of the throttling layer (blkio-controller.rst).
pub(super) fn v1(files: &Files<'_>) -> Result<Block, CgroupError> {
    let first = |what: &str| -> Result<Vec<BlockEntry>, CgroupError> {
        for layer in ["bfq", "throttle"] {
            let text = files.text(&format!("blkio.{layer}.{what}_recursive"))?.unwrap_or_default();
            let entries: Vec<BlockEntry> = text.lines().filter_map(line_of_v1).collect();
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        Ok(Vec::new())
    };
    let (bytes, requests) = (first("io_service_bytes")?, first("io_serviced")?);
    Ok(Block { io_service_bytes_recursive: bytes, io_serviced_recursive: requests, psi: None })
}

/// `8:0 Read 4096`; the line `Total 4096` at the end has no device.
fn line_of_v1(line: &str) -> Option<BlockEntry> {
    let mut words = line.split_ascii_whitespace();
    let (major, minor) = device(words.next()?)?;
    Some(BlockEntry { major, minor, op: words.next()?.to_owned(), value: words.next()?.parse().ok()? })
}

/// v2: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0` in `io.stat` (cgroup-v2.rst).
pub(super) fn v2(files: &Files<'_>) -> Result<Block, CgroupError> {
    let text = files.text("io.stat")?.unwrap_or_default();
    let mut block = Block::default();
    for (major, minor, pair) in text.lines().flat_map(pairs_of_v2) {
        let Some((key, value)) = pair.split_once('=') else { continue };
        let Ok(value) = value.parse() else { continue };
        let (op, list) = match key {
            "rbytes" => ("Read", &mut block.io_service_bytes_recursive),
            "wbytes" => ("Write", &mut block.io_service_bytes_recursive),
            "dbytes" => ("Discard", &mut block.io_service_bytes_recursive),
            "rios" => ("Read", &mut block.io_serviced_recursive),
            "wios" => ("Write", &mut block.io_serviced_recursive),
            "dios" => ("Discard", &mut block.io_serviced_recursive),
            _ => continue,
        };
        list.push(BlockEntry { major, minor, op: op.to_owned(), value });
    }
    Ok(block)
}

fn pairs_of_v2(line: &str) -> impl Iterator<Item = (u32, u32, &str)> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let device = device(name);
    rest.split_ascii_whitespace().filter_map(move |pair| device.map(|(major, minor)| (major, minor, pair)))
}

fn device(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
