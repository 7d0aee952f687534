//! The layouts that bindgen asserts of C structures, read off its output.

/// One structure or union.
#[derive(Debug)]
pub struct Layout {
    /// The name in C.
    pub name: String,
    /// In bytes.
    pub size: usize,
    /// Named fields and their offsets, in bytes.
    pub fields: Vec<(String, usize)>,
}

/// Every layout that the bindings assert. An assert looks like
/// `["Size of _LUID"][::core::mem::size_of::<_LUID>() - 8usize];`.
///
/// # Panics
/// When the bindings do not look so.
#[must_use]
pub fn read(bindings: &str) -> Vec<Layout> {
    let mut layouts: Vec<Layout> = Vec::new();
    for assert in bindings
        .split('[')
        .filter_map(|text| text.trim_start().strip_prefix('"'))
    {
        let Some((label, _)) = assert.split_once('"') else {
            continue;
        };
        let value = || {
            let start = bindings
                .find(&format!("\"{label}\""))
                .expect("the label came from here");
            let (expression, _) = bindings[start..].split_once("usize]").expect("a value");
            let (_, digits) = expression.rsplit_once("- ").expect("a difference");
            digits.parse::<usize>().expect("a number")
        };
        if let Some(name) = label.strip_prefix("Size of ") {
            layouts.push(Layout {
                name: name.to_owned(),
                size: value(),
                fields: Vec::new(),
            });
        } else if let Some(field) = label.strip_prefix("Offset of field: ") {
            let (name, field) = field.split_once("::").expect("a field of a structure");
            let layout = layouts.last_mut().expect("the size comes first");
            assert_eq!(layout.name, name, "offsets follow the size");
            layout.fields.push((field.to_owned(), value()));
        }
    }
    layouts
}
