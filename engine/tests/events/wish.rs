//! What a test's session asks for.

use crate::{upcase, wide};
use ntwatch_engine::filter::Filter;
use ntwatch_protocol::configure::{AccessMasks, Clause, Configure, ConfigureHeader, Selector};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use zerocopy::IntoBytes;

#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) mask: u32,
    pub(crate) processes: Vec<Selector>,
    pub(crate) image: Option<String>,
    pub(crate) excluded_image: Option<String>,
    pub(crate) access: Option<AccessMasks>,
    pub(crate) remote_threads: bool,
    pub(crate) user_images: bool,
}

impl Wish {
    /// Every kind, but of handles only those that can do more than look.
    pub(crate) fn everything() -> Self {
        Self::only(Kind::ALL_EVENTS)
    }

    pub(crate) fn only(mask: u32) -> Self {
        Self {
            mask,
            ..Self::default()
        }
    }

    pub(crate) fn filter(&self) -> Filter {
        let [image, excluded_image] =
            [&self.image, &self.excluded_image].map(|text| text.as_deref().map(wide));
        let processes = self.processes.iter().copied().map(Clause::Process);
        let clauses: Vec<_> = processes
            .chain(image.as_deref().map(Wide::new).map(Clause::Image))
            .chain(
                excluded_image
                    .as_deref()
                    .map(Wide::new)
                    .map(Clause::ExcludeImage),
            )
            .chain(self.access.map(Clause::Access))
            .chain(self.remote_threads.then_some(Clause::RemoteThreads))
            .chain(self.user_images.then_some(Clause::UserImages))
            .collect();
        let mut body = Vec::new();
        clauses.iter().for_each(|clause| clause.write(&mut body));
        let header = ConfigureHeader {
            size: (size_of::<ConfigureHeader>() + body.len()) as u32,
            event_mask: self.mask,
            ring_size: 0,
            clauses: clauses.len() as u32,
        };
        let input = [header.as_bytes(), &body].concat();
        Filter::new(&Configure::parse(&input).unwrap(), upcase).unwrap()
    }
}
