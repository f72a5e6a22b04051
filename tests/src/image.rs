//! An OCI image made on the spot: busybox and the hostile workload in one layer, as the tar that `ctr image import`
//! takes. No registry is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::bundle::make_rootfs;
use crate::outcome;
use crate::programs;
use crate::scratch::Scratch;

/// The name under which the image is imported.
pub const NAME: &str = "lazaret.test/busybox:1";

/// Makes the image and returns the path of its tar, inside `scratch`.
///
/// # Panics
/// When tar or sha256sum fail.
#[must_use]
pub fn make(scratch: &Scratch) -> PathBuf {
    let rootfs = scratch.join("image-rootfs");
    make_rootfs(&rootfs);
    std::fs::copy(programs::attacker(), rootfs.join("attacker")).unwrap();
    let layout = scratch.join("image");
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let layer = scratch.join("layer.tar");
    tar(&rootfs, &layer);
    let (layer_digest, layer_size) = store(&blobs, &std::fs::read(&layer).unwrap());
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]}
    });
    let config = blob(&blobs, "application/vnd.oci.image.config.v1+json", &config);
    let media_type = "application/vnd.oci.image.layer.v1.tar";
    let layer = json!({"mediaType": media_type, "digest": format!("sha256:{layer_digest}"), "size": layer_size});
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
    let mut manifest = blob(&blobs, media_type, &manifest);
    manifest["annotations"] = json!({"io.containerd.image.name": NAME});
    std::fs::write(layout.join("index.json"), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string())
        .unwrap();
    std::fs::write(layout.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string()).unwrap();
    let image = scratch.join("image.tar");
    tar(&layout, &image);
    image
}

fn tar(directory: &Path, archive: &Path) {
    let mut command = Command::new(programs::installed("tar"));
    command
        .args(["--numeric-owner", "--owner=0", "--group=0", "--sort=name", "-C"])
        .arg(directory)
        .arg("-cf")
        .arg(archive)
        .arg(".");
    outcome::run(&mut command).succeeds();
}

/// Stores bytes under their digest; the digest in hexadecimal, and the size.
fn store(blobs: &Path, content: &[u8]) -> (String, usize) {
    let temporary = blobs.join("incoming");
    std::fs::write(&temporary, content).unwrap();
    let sum = outcome::run(Command::new(programs::installed("sha256sum")).arg(&temporary)).expect(0);
    let digest = sum.stdout.split(' ').next().unwrap().to_owned();
    std::fs::rename(&temporary, blobs.join(&digest)).unwrap();
    (digest, content.len())
}

fn blob(blobs: &Path, media_type: &str, content: &Value) -> Value {
    let (digest, size) = store(blobs, content.to_string().as_bytes());
    json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size})
}
