//! Where control gets to in the shipped driver: to no panic, and out of it by known ways only.
//!
//! Followed from the entry point, from all that is exported, and from every function whose address
//! is taken: calls, jumps, jump tables.

use std::collections::{BTreeMap, BTreeSet};

use ntwatch_lab_figures::tell;
use ntwatch_wdk_check::{
    flow::Origin, image, kmdf_facts, linker_map, pe::Image, program::Program, read,
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

/// The instructions of a program that end in an exception, with the functions that they are in.
fn traps(program: &Program) -> Vec<(String, u32)> {
    let symbols = symbols();
    let functions = program.functions.iter();
    functions
        .flat_map(|(&start, function)| {
            let name = symbols.function(start);
            let traps = function.traps().into_iter();
            traps.map(move |trap| (name.clone(), trap))
        })
        .collect()
}

/// The traps of the shipped driver with other `code` at its entry point, from there on.
fn traps_at_entry_point(code: &[u8]) -> Vec<u32> {
    let file = planted::at_entry_point(code);
    let image = Image::parse(&file);
    let traps = traps(&Program::read(&image)).into_iter();
    let planted = traps.filter(|(function, _)| function == "FxDriverEntry");
    planted.map(|(_, at)| at - image.entry_point()).collect()
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

#[test]
fn control_gets_to_no_trap() {
    with_driver(|_, program, _| {
        assert_eq!(traps(program), []);
        let functions = program.functions.values();
        let instructions: usize = functions.map(|f| f.instructions.len()).sum();
        let functions = program.functions.len();
        tell(
            "control gets to no trap",
            instructions as u64,
            "instructions",
        );
        tell(
            "control gets to each function",
            functions as u64,
            "functions",
        );
    });
}

#[test]
fn a_trap_is_noticed() {
    for (instruction, code, at) in [
        ("ud2", [0x0f, 0x0b].as_slice(), 0),
        ("int3", &[0xcc], 0),
        ("int 29h", &[0xcd, 0x29], 0),
        (
            "xor eax, eax; jne +2; ret; int3",
            &[0x31, 0xc0, 0x75, 1, 0xc3, 0xcc],
            5,
        ),
    ] {
        assert_eq!(traps_at_entry_point(code), [at], "{instruction}");
    }
}

/// A function with a jump table whose last entry, 3, leads to a trap, and where the trap is. `check`
/// comes first; where it has a 0xff, the way to the function's end goes.
fn with_hole(check: &[u8]) -> (Vec<u8>, u32) {
    let mut code = check.to_vec();
    // movzx eax, cx; lea r10, [table]; movsxd rdx, [r10 + rax * 4]; add rdx, r10; jmp rdx
    code.extend([0x0f, 0xb7, 0xc1, 0x4c, 0x8d, 0x15, 12, 0, 0, 0]);
    code.extend([0x49, 0x63, 0x14, 0x82, 0x4c, 0x01, 0xd2, 0xff, 0xe2]);
    let end = code.len();
    for at in 0..check.len() {
        if check[at] == 0xff {
            code[at] = (end - at - 1) as u8;
        }
    }
    // ret; ud2
    code.extend([0xc3, 0x0f, 0x0b]);
    let table: [i32; 4] = [-3, -3, -3, -2];
    code.extend(table.iter().flat_map(|entry| entry.to_le_bytes()));
    (code, end as u32 + 1)
}

#[test]
fn a_hole_in_a_jump_table_is_a_trap_where_no_check_keeps_control_from_it() {
    // cmp cx, limit; ja end
    let up_to = |limit| vec![0x66, 0x83, 0xf9, limit, 0x77, 0xff];
    // The same with dx.
    let other_register = vec![0x66, 0x83, 0xfa, 2, 0x77, 0xff];
    // cmp cx, 3; ja end; xor edx, edx; movzx eax, cx; mov r8d, set; bt r8d, eax; jae +2; mov dl, 1;
    // test dl, dl; je end
    let in_set = |set| {
        let mut check = up_to(3);
        check.extend([0x31, 0xd2, 0x0f, 0xb7, 0xc1, 0x41, 0xb8, set, 0, 0, 0]);
        check.extend([
            0x41, 0x0f, 0xa3, 0xc0, 0x73, 2, 0xb2, 1, 0x84, 0xd2, 0x74, 0xff,
        ]);
        check
    };
    for check in [up_to(2), in_set(0b0111)] {
        let (code, _) = with_hole(&check);
        assert_eq!(traps_at_entry_point(&code), [0; 0], "{check:x?}");
    }
    for check in [up_to(3), in_set(0b1111), other_register, Vec::new()] {
        let (code, trap) = with_hole(&check);
        assert_eq!(traps_at_entry_point(&code), [trap], "{check:x?}");
    }
}

#[test]
fn the_panic_handler_is_not_linked_in() {
    with_driver(|image, _, _| {
        let imports = image.imports();
        let bug_checks = imports.iter().any(|import| import.name == "KeBugCheckEx");
        assert!(!bug_checks, "the panic handler is linked in");
    });
    assert_eq!(panics(&linker_map()), [""; 0]);
}

/// What a linker's map has of Rust's panics, by their names as linkers see them.
fn panics(map: &str) -> Vec<&str> {
    let is_panic = |line: &&str| line.contains("9panicking") || line.contains("rust_begin_unwind");
    map.lines().filter(is_panic).collect()
}

#[test]
fn a_panic_that_is_linked_in_is_noticed() {
    let line = " 0001:0000a8f0 _RNvNtCs_4core9panicking9panic_fmt 000000018000b8f0 core.o";
    let map = format!("{}{line}\n", linker_map());
    assert_eq!(panics(&map), [line]);
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
        tell("control leaves by known ways", ways.len() as u64, "ways");
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
