//! The kit's framework headers, held against the public KMDF 1.31 headers.

use std::collections::BTreeMap;

use ntwatch_wdk_check::{bindings, kmdf_facts, layouts};
use serde_json::Value;
use syn::{Expr, GenericArgument, Item, Lit, PathArguments, ReturnType, Type, UnOp};

/// The constants of each enumeration that the bindings declare.
fn enumerations() -> BTreeMap<String, BTreeMap<String, i64>> {
    let file = syn::parse_file(&bindings()).expect("Rust");
    let modules = file.items.into_iter().filter_map(|item| match item {
        Item::Mod(module) => Some((module.ident.to_string(), module.content?.1)),
        _ => None,
    });
    modules
        .map(|(name, items)| (name, items.iter().filter_map(constant).collect()))
        .collect()
}

fn constant(item: &Item) -> Option<(String, i64)> {
    let Item::Const(item) = item else { return None };
    Some((item.ident.to_string(), integer(&item.expr)?))
}

fn integer(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(integer) => integer.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(negative) if matches!(negative.op, UnOp::Neg(_)) => {
            integer(&negative.expr).map(|value| -value)
        }
        _ => None,
    }
}

/// The types of a function that the bindings declare, in the spelling of C.
fn functions() -> BTreeMap<String, (String, Vec<String>)> {
    let file = syn::parse_file(&bindings()).expect("Rust");
    let aliases = file.items.iter().filter_map(|item| match item {
        Item::Type(alias) => Some(alias),
        _ => None,
    });
    let functions = aliases.filter_map(|alias| {
        let name = alias.ident.to_string();
        let Type::Path(option) = alias.ty.as_ref() else {
            return None;
        };
        let PathArguments::AngleBracketed(arguments) = &option.path.segments.last()?.arguments
        else {
            return None;
        };
        let GenericArgument::Type(Type::BareFn(function)) = arguments.args.first()? else {
            return None;
        };
        let returns = match &function.output {
            ReturnType::Default => "void".to_owned(),
            ReturnType::Type(_, returns) => c_type(returns),
        };
        Some((
            name,
            (
                returns,
                function
                    .inputs
                    .iter()
                    .map(|input| c_type(&input.ty))
                    .collect(),
            ),
        ))
    });
    functions.collect()
}

fn c_type(rust: &Type) -> String {
    match rust {
        Type::Ptr(pointer) if pointer.const_token.is_some() => {
            format!("const {} *", c_type(&pointer.elem))
        }
        Type::Ptr(pointer) => format!("{} *", c_type(&pointer.elem)),
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|last| last.ident.to_string())
            .unwrap_or_default(),
        _ => String::new(),
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object of the facts").iter()
}

#[test]
fn every_function_has_its_place_in_the_table() {
    let facts = kmdf_facts();
    let mut indices = enumerations()
        .remove("_WDFFUNCENUM")
        .expect("the enumeration");
    assert_eq!(
        indices.remove("WdfFunctionTableNumEntries"),
        facts["function_count"].as_i64()
    );
    let expected: BTreeMap<_, _> = object(&facts["functions"])
        .map(|(name, function)| {
            (
                format!("{name}TableIndex"),
                function["index"].as_i64().expect("an index"),
            )
        })
        .collect();
    assert_eq!(indices, expected);
}

#[test]
fn every_declared_function_has_its_types() {
    let facts = kmdf_facts();
    let functions = functions();
    let mut declared = 0;
    for (name, fact) in object(&facts["functions"]) {
        let Some((returns, parameters)) = functions.get(&format!("PFN_{}", name.to_uppercase()))
        else {
            continue;
        };
        declared += 1;
        let expected: Vec<_> = fact["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .map(|parameter| parameter.as_str().expect("a type"))
            .collect();
        // bindgen gives size_t its Rust name.
        let parameters: Vec<_> = parameters
            .iter()
            .map(|p| p.replace("usize", "size_t"))
            .collect();
        assert_eq!(parameters, expected, "{name}");
        assert_eq!(Some(returns.as_str()), fact["returns"].as_str(), "{name}");
    }
    assert!(declared > 70, "only {declared} functions are declared");
}

#[test]
fn every_enumerator_has_its_value() {
    let facts = kmdf_facts();
    let mut declared = 0;
    for (name, constants) in enumerations() {
        let Some(fact) = facts["enums"].get(&name) else {
            continue;
        };
        for (constant, value) in constants {
            declared += 1;
            // The facts have the bits; C's enumerations are signed.
            let expected = fact[&constant].as_i64().map(|bits| bits as u32 as i32);
            assert_eq!(Some(value as i32), expected, "{name}::{constant}");
        }
    }
    assert!(declared > 30, "only {declared} enumerators are declared");
}

#[test]
fn every_structure_has_its_size_and_offsets() {
    let facts = kmdf_facts();
    let mut declared = 0;
    for layout in layouts::read(&bindings()) {
        let Some(fact) = facts["structs"].get(&layout.name) else {
            continue;
        };
        declared += 1;
        assert_eq!(
            Some(layout.size as u64),
            fact["size"].as_u64(),
            "size of {}",
            layout.name
        );
        let expected: Vec<_> = fact["fields"]
            .as_array()
            .expect("fields")
            .iter()
            .map(|field| (field[0].as_str().unwrap_or_default(), field[1].as_u64()))
            .collect();
        let offsets: Vec<_> = layout
            .fields
            .iter()
            .map(|(field, offset)| (field.as_str(), Some(*offset as u64)))
            .collect();
        assert_eq!(offsets, expected, "{}", layout.name);
    }
    assert!(declared > 9, "only {declared} structures are declared");
}

#[test]
fn every_framework_structure_of_the_kit_is_in_the_facts() {
    let facts = kmdf_facts();
    for layout in layouts::read(&bindings()) {
        let of_framework = layout.name.starts_with("_WDF") && !layout.name.contains("__bindgen");
        assert!(
            !of_framework || facts["structs"].get(&layout.name).is_some(),
            "{}",
            layout.name
        );
    }
}
