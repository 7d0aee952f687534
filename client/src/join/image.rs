//! Images.

use super::{Joiner, text};
use crate::event::{Hex, Image, ImageLoad, SignatureLevel, SignatureType};
use ntwatch_protocol::image::{self, flags, known};
use ntwatch_protocol::reader::View;

impl Joiner {
    pub(super) fn image_load(&mut self, load: &View<'_, image::ImageLoad>) -> ImageLoad {
        let pid = load.known(known::PID, load.pid);
        let key = load.known(known::KEY, load.key);
        let kernel = load.flag(flags::KERNEL);
        let process = pid.filter(|_| !kernel).map(|pid| {
            self.introduce(pid, key);
            self.reference(pid, key)
        });
        let path = load.name().and_then(|name| self.names.path(&text(name)));
        let (base, size) = (
            load.known(known::BASE, load.base),
            load.known(known::SIZE, load.size),
        );
        if let (Some(base), Some(size), Some(path)) = (base, size, &path) {
            let modules = if kernel {
                Some(&mut self.kernel)
            } else {
                let process = pid.zip(key);
                let known = process.and_then(|process| self.table.get_mut(process));
                known.map(|known| &mut known.modules)
            };
            if let Some(modules) = modules {
                modules.load(base, size, path.clone());
            }
        }
        ImageLoad {
            process,
            image: Image {
                path,
                base: base.map(Hex),
                size: size.map(Hex),
                kernel,
                signature_level: SignatureLevel(load.signature_level),
                signature_type: SignatureType(load.signature_type),
                partial_map: load.flag(flags::PARTIAL_MAP),
                machine_mismatch: load.flag(flags::MACHINE_MISMATCH),
                sha256: None,
            },
        }
    }
}
