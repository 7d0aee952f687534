//! Inputs that are bytes, such as files, and what is done to them.
#![expect(clippy::ptr_arg, reason = "every edit has the same type")]

use crate::input::Input;
use mutatis::{Candidates, Context, DefaultMutate, Generate, Mutate, Result};
use std::ops::Range;

/// The bytes of a file or a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Input for Bytes {
    const EXTENSION: &'static str = "bin";

    fn decode(file: &[u8]) -> std::result::Result<Self, String> {
        Ok(Self(file.to_vec()))
    }

    fn encode(&self) -> Vec<u8> {
        self.0.clone()
    }
}

/// Changes bytes as damage, clumsy writers and attackers do.
#[derive(Clone, Debug, Default)]
pub struct Damage;

/// Numbers at which lengths, offsets and counts go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    7,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_fff8,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// No insertion is longer, in bytes.
const LONGEST_INSERTION: usize = 64;

type Edit = fn(&mut Vec<u8>, &mut Context);

/// Every change that leaves less, or as much with less in it.
const SHRINKING: [Edit; 3] = [cut_off, cut_out, clear];

/// All the others.
const OTHERS: [Edit; 7] = [flip, replace, set_edge, step, insert, repeat, copy_over];

fn cut_off(bytes: &mut Vec<u8>, context: &mut Context) {
    let at = index(bytes, context);
    bytes.truncate(at);
}

fn cut_out(bytes: &mut Vec<u8>, context: &mut Context) {
    let range = range(bytes, context);
    bytes.drain(range);
}

fn clear(bytes: &mut Vec<u8>, context: &mut Context) {
    let range = range(bytes, context);
    bytes[range].fill(0);
}

fn flip(bytes: &mut Vec<u8>, context: &mut Context) {
    let at = index(bytes, context);
    bytes[at] ^= 1 << (context.rng().gen_u8() % 8);
}

fn replace(bytes: &mut Vec<u8>, context: &mut Context) {
    let at = index(bytes, context);
    bytes[at] = context.rng().gen_u8();
}

fn set_edge(bytes: &mut Vec<u8>, context: &mut Context) {
    let field = field(bytes, context);
    let edge = context.rng().choose(EDGES).unwrap_or_default();
    let width = field.len();
    bytes[field].copy_from_slice(&edge.to_le_bytes()[..width]);
}

/// One more or less, of a number of two to eight bytes.
fn step(bytes: &mut Vec<u8>, context: &mut Context) {
    let field = field(bytes, context);
    let field = &mut bytes[field];
    let mut number = [0; 8];
    number[..field.len()].copy_from_slice(field);
    let by = if context.rng().gen_bool() {
        1
    } else {
        u64::MAX
    };
    let stepped = u64::from_le_bytes(number).wrapping_add(by).to_le_bytes();
    field.copy_from_slice(&stepped[..field.len()]);
}

fn insert(bytes: &mut Vec<u8>, context: &mut Context) {
    let at = index(bytes, context);
    let len = usize::from(context.rng().gen_u8()) % LONGEST_INSERTION;
    let mut inserted = vec![0; len];
    if context.rng().gen_bool() {
        context.rng().gen_bytes(&mut inserted);
    }
    bytes.splice(at..at, inserted);
}

fn repeat(bytes: &mut Vec<u8>, context: &mut Context) {
    let range = range(bytes, context);
    let again = bytes[range.clone()].to_vec();
    bytes.splice(range.end..range.end, again);
}

fn copy_over(bytes: &mut Vec<u8>, context: &mut Context) {
    let range = range(bytes, context);
    let to = context.rng().gen_index(bytes.len() - range.len() + 1);
    bytes.copy_within(range, to.unwrap_or_default());
}

/// Where a byte is.
fn index(bytes: &[u8], context: &mut Context) -> usize {
    context.rng().gen_index(bytes.len()).unwrap_or_default()
}

/// Where some bytes are, few more often than many.
fn range(bytes: &[u8], context: &mut Context) -> Range<usize> {
    let start = index(bytes, context);
    let longest = 1 << (context.rng().gen_u8() % 13);
    let longest = (bytes.len() - start).min(longest);
    let len = context.rng().gen_index(longest).unwrap_or_default() + 1;
    start..start + len
}

/// Where a number may be, of one to eight bytes, more often aligned than not.
fn field(bytes: &[u8], context: &mut Context) -> Range<usize> {
    let width = 1 << (context.rng().gen_u8() % 4);
    let mut start = index(bytes, context);
    if !context.rng().gen_u8().is_multiple_of(4) {
        start -= start % width;
    }
    start..bytes.len().min(start + width)
}

impl Mutate<Bytes> for Damage {
    fn mutate(&mut self, candidates: &mut Candidates<'_>, Bytes(bytes): &mut Bytes) -> Result<()> {
        if bytes.is_empty() {
            return match candidates.shrink() {
                true => Ok(()),
                false => candidates.mutation(|context| {
                    bytes.push(context.rng().gen_u8());
                    Ok(())
                }),
            };
        }
        let mut edits = SHRINKING.to_vec();
        if !candidates.shrink() {
            edits.extend(OTHERS);
        }
        candidates.mutation_group(edits.len() as u32, |context, which| {
            edits[which as usize](bytes, context);
            Ok(())
        })
    }
}

impl Generate<Bytes> for Damage {
    fn generate(&mut self, context: &mut Context) -> Result<Bytes> {
        let mut bytes = vec![0; usize::from(context.rng().gen_u8())];
        context.rng().gen_bytes(&mut bytes);
        Ok(Bytes(bytes))
    }
}

impl DefaultMutate for Bytes {
    type DefaultMutate = Damage;
}
