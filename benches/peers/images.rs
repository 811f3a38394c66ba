//! Images that every peer takes for real ones: gzip around tar, with the right digests inside and out.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use ring::digest::{Context, SHA256};
use serde_json::json;

use super::support::digest::Random;
use super::support::distribution::Distribution;
use super::support::image::{CONFIG, Descriptor, Image, LAYER, Parts, index_of, manifest_of};
use super::support::recipe::PLATFORMS;

/// How an image is built.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// How many platforms its index has.
    pub(crate) platforms: usize,
    /// How many layers each of them has.
    pub(crate) layers: usize,
    /// How many of these are the same for all platforms.
    pub(crate) shared: usize,
    /// The size of the file in each layer, in bytes.
    pub(crate) layer_size: usize,
    /// Images with the same seed have the same shared layers.
    pub(crate) seed: u64,
    /// Tells the layers that are not shared from those of other images.
    pub(crate) own_seed: u64,
}

impl Plan {
    /// How many blobs it has, configs included.
    pub(crate) fn blobs(self) -> usize {
        self.shared + self.platforms * (self.layers - self.shared + 1)
    }
}

/// A layer as it stands in manifest and config.
struct Layer {
    descriptor: Descriptor,
    diff_id: String,
}

/// Makes an image and puts it into the registry as `name:tag`: the layers right onto its disk, the rest by a push.
pub(crate) fn plant(registry: &Distribution, reference: &str, plan: Plan) -> Image {
    let name = reference
        .split(':')
        .next()
        .expect("there is a part before the colon");
    let mut image = Image::empty();
    let mut random = Random::seeded(plan.seed);
    let shared: Vec<Layer> = (0..plan.shared)
        .map(|_| plant_layer(registry, name, plan, &mut random))
        .collect();
    let mut random = Random::seeded(plan.own_seed);
    for platform in PLATFORMS.iter().cycle().take(plan.platforms) {
        let own: Vec<Layer> = (plan.shared..plan.layers)
            .map(|_| plant_layer(registry, name, plan, &mut random))
            .collect();
        let layers = || shared.iter().chain(&own);
        let mut words = platform.split('/');
        let mut config = json!({
            "os": words.next(),
            "architecture": words.next(),
            "config": {"Env": [format!("BUILD={:016x}", random.next())]},
            "rootfs": {"type": "layers", "diff_ids": layers().map(|layer| layer.diff_id.as_str()).collect::<Vec<_>>()},
        });
        if let Some(variant) = words.next() {
            config["variant"] = variant.into();
        }
        let config = image.blob(CONFIG, config.to_string());
        let layers: Vec<Descriptor> = layers().map(|layer| layer.descriptor.clone()).collect();
        let manifest = image
            .document(&manifest_of(&config, &layers))
            .platform(platform);
        image.images.push(Parts {
            manifest,
            config,
            layers,
        });
    }
    let children: Vec<Descriptor> = image
        .images
        .iter()
        .map(|parts| parts.manifest.clone())
        .collect();
    let root = image.document(&index_of(&children));
    let image = image.begins_with(&root);
    registry.push(reference, &image);
    image
}

/// The image with the layers that were planted for it.
pub(crate) fn with_layers(registry: &Distribution, mut image: Image) -> Image {
    let layers = image
        .images
        .iter()
        .flat_map(|parts| &parts.layers)
        .cloned()
        .collect::<Vec<_>>();
    for layer in layers {
        let bytes = fs::read(registry.data(layer.digest())).expect("it was planted");
        image.blob(LAYER, bytes);
    }
    image
}

fn plant_layer(registry: &Distribution, name: &str, plan: Plan, random: &mut Random) -> Layer {
    let beside = registry.data("sha256:0000");
    let root = beside
        .ancestors()
        .nth(5)
        .expect("data stands five below the root");
    fs::create_dir_all(root).expect("the registry's directory is ours");
    let new = root.join("new-layer");
    let layer =
        write_layer(&new, plan.layer_size, random).expect("the registry's directory is ours");
    let digest = layer.descriptor.digest();
    move_to(&new, &registry.data(digest));
    let link = root
        .join("repositories")
        .join(name)
        .join("_layers")
        .join(digest.replace(':', "/"))
        .join("link");
    fs::create_dir_all(link.parent().expect("it is below the root"))
        .expect("the registry's directory is ours");
    fs::write(link, digest).expect("the registry's directory is ours");
    layer
}

fn move_to(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("it is below the root"))
        .expect("the registry's directory is ours");
    fs::rename(from, to).expect("both are on one disk");
}

/// The most random bytes that are made for one layer; a larger one repeats them.
const CHUNK: usize = 4_000_000;

/// Writes a tar of one random file of `size` bytes in gzip without compression.
fn write_layer(path: &Path, size: usize, random: &mut Random) -> io::Result<Layer> {
    let chunk = random.bytes(size.min(CHUNK));
    assert_eq!(size % chunk.len(), 0, "a layer is a whole number of chunks");
    let padding = vec![0; size.next_multiple_of(512) - size + 1024];
    let (head, body, tail) = (tar_header(size), gzip_member(&chunk), gzip_member(&padding));
    let (mut outside, mut inside) = (Context::new(&SHA256), Context::new(&SHA256));
    let mut file = File::create(path)?;
    let mut length = 0;
    let mut write = |zipped: &[u8], plain: &[u8]| {
        outside.update(zipped);
        inside.update(plain);
        length += zipped.len() as u64;
        file.write_all(zipped)
    };
    // Members of a gzip file are put together by whoever reads it (https://www.rfc-editor.org/rfc/rfc1952#section-2.2).
    write(&gzip_member(&head), &head)?;
    for _ in 0..size / chunk.len() {
        write(&body, &chunk)?;
    }
    write(&tail, &padding)?;
    let (digest, diff_id) = (text(outside), text(inside));
    Ok(Layer {
        descriptor: Descriptor::promising(LAYER, &digest, length),
        diff_id,
    })
}

fn text(context: Context) -> String {
    context
        .finish()
        .as_ref()
        .iter()
        .fold("sha256:".to_owned(), |text, byte| {
            format!("{text}{byte:02x}")
        })
}

/// <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06>
fn tar_header(size: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, "file");
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// One member of a gzip file, its content stored as it is.
fn gzip_member(content: &[u8]) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut blocks = content.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("a block has at most 65,535 bytes");
        member.push(u8::from(blocks.peek().is_none()));
        member.extend(length.to_le_bytes());
        member.extend((!length).to_le_bytes());
        member.extend_from_slice(block);
    }
    member.extend(crc32(content).to_le_bytes());
    member.extend(
        u32::try_from(content.len())
            .expect("a chunk is small")
            .to_le_bytes(),
    );
    member
}

fn crc32(content: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (start, entry) in (0_u32..).zip(&mut table) {
        *entry = (0..8).fold(start, |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        });
    }
    !content.iter().fold(!0, |crc, byte| {
        table[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8)
    })
}
