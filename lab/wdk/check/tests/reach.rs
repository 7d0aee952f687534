//! Where control gets to in the shipped driver: to no panic, and out of it by known ways only.
//!
//! Followed from the entry point, from all that is exported, and from every function whose address
//! is taken: calls, jumps, jump tables.

use std::collections::{BTreeMap, BTreeSet};

use ntwatch_protocol::record::Kind;
use ntwatch_wdk_check::{
    flow::{Origin, Trap},
    image, kmdf_facts, linker_map,
    pe::Image,
    program::Program,
    read,
    symbols::Symbols,
};
use object::{
    LittleEndian as LE,
    pe::{IMAGE_SCN_MEM_DISCARDABLE, IMAGE_SCN_MEM_EXECUTE},
};

mod planted;

fn symbols() -> Symbols {
    Symbols::read(&image("driver").with_extension("pdb"))
}

fn with_driver(check: impl FnOnce(&Image<'_>, &Program, &Symbols)) {
    let file = read("driver");
    let image = Image::parse(&file);
    check(&image, &Program::read(&image), &symbols());
}

/// The traps of a program, with the functions that they are in.
fn traps(file: &[u8]) -> Vec<(String, Trap)> {
    let symbols = symbols();
    let program = Program::read(&Image::parse(file));
    let functions = program.functions.iter();
    functions
        .flat_map(|(&start, function)| {
            let name = symbols.function(start);
            let traps = function.traps().into_iter();
            traps.map(move |trap| (name.clone(), trap))
        })
        .collect()
}

/// The functions of a file that control does not get to.
fn unreached(file: &[u8]) -> Vec<String> {
    let symbols = symbols();
    let image = Image::parse(file);
    let program = Program::read(&image);
    let functions = image.functions().into_iter().map(|f| f.code.start);
    functions
        .filter(|start| !program.functions.contains_key(start))
        .map(|start| symbols.function(start))
        .collect()
}

#[test]
fn every_function_in_the_file_is_followed() {
    assert_eq!(unreached(&read("driver")), [""; 0]);
}

#[test]
fn a_function_that_nobody_calls_is_noticed() {
    // ret
    let file = planted::at(symbols().address(WORKER), &[0xc3]);
    let unreached = unreached(&file);
    assert!(
        unreached.contains(&"ntwatch_engine::worker::Worker::announce".to_owned()),
        "{unreached:?}"
    );
}

const WORKER: &str = "ntwatch::worker::evt_work_item";

/// The worker's `match` on the kind of a record. Between 1 and 15 only some kinds exist, so the
/// table for them has holes, which lead to a `ud2`. The kind was made by `Kind::from_wire`, which
/// makes no others.
const HOLES: &str = WORKER;

#[test]
fn control_gets_to_no_trap() {
    for (function, trap) in traps(&read("driver")) {
        println!("{function}: {trap:x?}");
        assert!(!trap.holes.is_empty(), "{function} gets to {trap:x?}");
        assert_eq!(function, HOLES, "{trap:x?}");
        let indices = trap.holes.iter().flat_map(|(_, indices)| indices);
        let existing: Vec<_> = indices
            // The table begins with the first kind, 1.
            .filter_map(|index| Kind::from_wire(*index as u16 + 1))
            .collect();
        assert!(existing.is_empty(), "{existing:?} end in a trap");
    }
}

#[test]
fn a_trap_is_noticed() {
    let all = traps(&read("driver")).len();
    for (instruction, code) in [
        ("ud2", [0x0f, 0x0b].as_slice()),
        ("int3", &[0xcc]),
        ("int 29h", &[0xcd, 0x29]),
        (
            "xor eax, eax; jne +2; ret; int3",
            &[0x31, 0xc0, 0x75, 1, 0xc3, 0xcc],
        ),
    ] {
        let traps = traps(&planted::at_entry_point(code));
        let planted = traps.iter().find(|(name, _)| name == "FxDriverEntry");
        let (_, trap) = planted.unwrap_or_else(|| panic!("{instruction} among {all} traps"));
        assert!(trap.holes.is_empty(), "{instruction}");
    }
}

#[test]
fn the_panic_handler_is_not_linked_in() {
    with_driver(|image, _, _| {
        let imports = image.imports();
        let bug_checks = imports.iter().any(|import| import.name == "KeBugCheckEx");
        assert!(!bug_checks, "the panic handler is linked in");
    });
    let map = linker_map();
    let panics: Vec<_> = map
        .lines()
        .filter(|line| line.contains("9panicking"))
        .collect();
    assert!(panics.is_empty(), "{}", panics.join("\n"));
}

/// Where a call or a jump through memory or a register leads.
fn outside(image: &Image<'_>, symbols: &Symbols, origin: &Origin) -> Option<String> {
    match *origin {
        Origin::Memory(slot) => {
            let imports = image.imports().into_iter();
            let import = imports.filter(|import| import.slot == slot);
            import.map(|import| import.name).next()
        }
        Origin::Table { base, offset } if symbols.variable(base) == Some("WdfFunctions_01031") => {
            let facts = kmdf_facts();
            let functions = facts["functions"].as_object().expect("functions");
            let mut functions = functions.iter();
            let index = u64::from(offset / 8);
            let function = functions.find(|(_, facts)| facts["index"] == index);
            function.map(|(name, _)| name.clone())
        }
        _ => None,
    }
}

/// The unload routine that the framework set, in a variable of the entry point's own. Of the kit;
/// Microsoft's does the same.
const DISPLACED: &str = "FxDriverUnload";

#[test]
fn control_leaves_by_imports_and_the_framework_only() {
    with_driver(|image, program, symbols| {
        let mut ways: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (start, origin) in program.indirect() {
            let function = symbols.function(start);
            match outside(image, symbols, origin) {
                Some(name) => {
                    ways.entry(name).or_default().insert(function);
                }
                None => assert_eq!(function, DISPLACED, "goes where {origin:x?} says"),
            }
        }
        for (way, functions) in &ways {
            println!(
                "{way}: {}",
                functions.iter().cloned().collect::<Vec<_>>().join(", ")
            );
        }
    });
}

#[test]
fn a_call_to_who_knows_where_is_noticed() {
    // call rcx; ret
    let file = planted::at_entry_point(&[0xff, 0xd1, 0xc3]);
    let image = Image::parse(&file);
    let entry_point = image.entry_point();
    let program = Program::read(&image);
    let mut unknown = program
        .indirect()
        .filter(|(_, origin)| matches!(origin, Origin::Unknown(_)));
    assert_eq!(
        unknown.next(),
        Some((entry_point, &Origin::Unknown(entry_point)))
    );
}

/// The functions in sections that the system discards.
fn discarded(image: &Image<'_>, program: &Program) -> BTreeSet<u32> {
    let both = IMAGE_SCN_MEM_DISCARDABLE | IMAGE_SCN_MEM_EXECUTE;
    let sections = image.pe.section_table();
    let sections = sections
        .iter()
        .filter(|section| section.characteristics.get(LE) & both == both);
    sections
        .flat_map(|section| {
            let start = section.virtual_address.get(LE);
            program
                .functions
                .range(start..start + section.virtual_size.get(LE))
        })
        .map(|(start, _)| *start)
        .collect()
}

/// The roots from which control gets to discarded code, but for the entry point.
fn roots_of_discarded(file: &[u8]) -> Vec<String> {
    let symbols = symbols();
    let image = Image::parse(file);
    let program = Program::read(&image);
    let discarded = discarded(&image, &program);
    let roots = program.roots.difference(&discarded);
    roots
        .filter(|root| **root != image.entry_point())
        .filter(|root| !program.reach(**root).is_disjoint(&discarded))
        .map(|root| symbols.function(*root))
        .collect()
}

#[test]
fn what_initialises_is_discarded_and_nobody_else_calls_it() {
    with_driver(|image, program, symbols| {
        let discarded = discarded(image, program);
        let names: Vec<_> = discarded.iter().map(|f| symbols.function(*f)).collect();
        assert_eq!(names, [DRIVER_ENTRY]);
    });
    assert_eq!(roots_of_discarded(&read("driver")), [""; 0]);
}

const DRIVER_ENTRY: &str = "ntwatch::entry::driver_entry";

#[test]
fn a_call_to_discarded_code_is_noticed() {
    let (worker, target) = (symbols().address(WORKER), symbols().address(DRIVER_ENTRY));
    // jmp
    let mut code = vec![0xe9];
    code.extend(target.wrapping_sub(worker + 5).to_le_bytes());
    assert_eq!(roots_of_discarded(&planted::at(worker, &code)), [WORKER]);
}
