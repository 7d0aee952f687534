//! How much stack the shipped driver's callbacks take: from unwind data, along the call graph.
//!
//! What the kernel and the framework take when they are called is theirs, and not counted.

use std::collections::BTreeMap;

use ntwatch_lab_figures::tell;
use ntwatch_wdk_check::{
    image,
    pe::Image,
    program::Program,
    read,
    stack::{Depth, StackError},
    symbols::Symbols,
};

mod planted;

/// What a callback may take.
const CALLBACK: u32 = 1024;

/// What may take more: it runs at PASSIVE_LEVEL, the worker in a system thread that does nothing
/// else, requests in the thread that made them; neither interrupts what is deep in the kernel.
const DEEPER: &[(&str, u32)] = &[
    ("ntwatch::worker::evt_work_item", 2176),
    ("ntwatch::ioctl::evt_io_device_control", 1664),
];

fn driver_depths(file: &[u8]) -> Result<BTreeMap<u32, Depth>, StackError> {
    let image = Image::parse(file);
    Program::read(&image).depths(&image)
}

/// The functions on the deepest way, from `root` on.
fn way(depths: &BTreeMap<u32, Depth>, root: u32, symbols: &Symbols) -> String {
    let functions = std::iter::successors(Some(root), |function| depths[function].next);
    let functions = functions.map(|function| {
        let name = symbols.function(function);
        format!("{name} {}", depths[&function].frame)
    });
    functions.collect::<Vec<_>>().join(" > ")
}

/// The callbacks of a file that take more than they may, and how many callbacks there are.
fn too_deep(file: &[u8]) -> (Vec<String>, usize) {
    let image = Image::parse(file);
    let program = Program::read(&image);
    let symbols = Symbols::read(&self::image("driver").with_extension("pdb"));
    let depths = program.depths(&image).expect("depths");
    let mut roots: Vec<_> = program.roots.iter().copied().collect();
    roots.sort_by_key(|root| std::cmp::Reverse(depths[root].total));
    println!("bytes  deepest way, with the bytes of each frame");
    let too_deep = roots.iter().filter_map(|root| {
        let name = symbols.function(*root);
        let total = depths[root].total;
        println!("{total:>5}  {}", way(&depths, *root, &symbols));
        let deeper = DEEPER.iter().find(|(function, _)| *function == name);
        let limit = deeper.map_or(CALLBACK, |(_, limit)| *limit);
        (total > limit).then(|| format!("{name} takes {total} bytes of {limit}"))
    });
    (too_deep.collect(), roots.len())
}

#[test]
fn callbacks_take_little_stack() {
    let (too_deep, callbacks) = too_deep(&read("driver"));
    assert_eq!(too_deep, [""; 0]);
    tell("callbacks take little stack", callbacks as u64, "callbacks");
}

#[test]
fn recursion_is_noticed() {
    // call here; ret
    let file = planted::at_entry_point(&[0xe8, 0xfb, 0xff, 0xff, 0xff, 0xc3]);
    let entry_point = Image::parse(&file).entry_point();
    assert_eq!(
        driver_depths(&file),
        Err(StackError::Recursion(vec![entry_point; 2]))
    );
}

#[test]
fn a_larger_frame_is_noticed() {
    let file = read("driver");
    let image = Image::parse(&file);
    let entry_point = image.entry_point();
    let functions = image.functions();
    let entry = functions.iter().find(|f| f.code.start == entry_point);
    let unwind_info = entry.expect("a function with a frame").unwind_info;
    // One code: sub rsp, 4096.
    let file = planted::at(unwind_info, &[1, 7, 2, 0, 7, 0x01, 0, 2]);
    let depths = driver_depths(&file).expect("depths");
    assert_eq!(depths[&entry_point].frame, 4096 + 8);
    let (too_deep, _) = too_deep(&file);
    assert!(
        too_deep[0].starts_with("FxDriverEntry takes "),
        "{too_deep:?}"
    );
}
