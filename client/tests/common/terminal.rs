//! Terminals, which tmux plays.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use unicode_width::UnicodeWidthStr;

/// Columns and rows.
pub(crate) const SIZES: [(usize, usize); 2] = [(80, 24), (140, 40)];
/// How long a screen may take before it counts as hung. No test measures time by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// No driver is there.
pub(crate) const NOWHERE: &str = "unix:/nonexistent/n.sock";

/// `ntwatch`, in a terminal.
pub(crate) struct Terminal {
    dir: TempDir,
    command: String,
}

impl Terminal {
    /// Starts it with these words. Ctrl+C is for it alone, not for the shell around it.
    pub(crate) fn start((columns, rows): (usize, usize), device: &str, words: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let quoted = |word: &&str| format!("'{}'", word.replace('\'', r"'\''"));
        let words: Vec<_> = words.iter().map(quoted).collect();
        let command = format!(
            "trap : INT; '{program}' --device '{device}' {words}; done=$?; trap '' INT; \
             echo $done > '{code}.new'; mv '{code}.new' '{code}'; exec sleep 1000",
            program = env!("CARGO_BIN_EXE_ntwatch"),
            words = words.join(" "),
            code = dir.path().join("code").display(),
        );
        let terminal = Self { dir, command };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.tmux(&[
            "start-server",
            ";",
            "set-option",
            "-g",
            "status",
            "off",
            ";",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            &terminal.command,
        ]);
        terminal
    }

    fn tmux(&self, words: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.dir.path().join("tmux"));
        let output = tmux.args(words).env_remove("TMUX").output();
        let output = output.expect("`tmux` is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {words:?}: {said}");
        output
    }

    fn capture(&self, how: &[&str]) -> Vec<String> {
        let captured = self.tmux(&[&["capture-pane", "-p"], how].concat());
        let text = String::from_utf8(captured.stdout).unwrap();
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// The lines that are seen.
    fn screen(&self) -> Vec<String> {
        self.capture(&[])
    }

    /// Waits for what there must be.
    pub(crate) fn wait<T>(&self, mut what: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = what() {
                return found;
            }
            let screen = self.screen().join("\n");
            let command = &self.command;
            assert!(began.elapsed() < PATIENCE, "{command} hangs:\n{screen}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The screen once this is on it.
    pub(crate) fn shows(&self, word: &str) -> Vec<String> {
        let is_there = |line: &String| line.contains(word);
        self.wait(|| Some(self.screen()).filter(|screen| screen.iter().any(is_there)))
    }

    pub(crate) fn ctrl_c(&self) {
        self.tmux(&["send-keys", "C-c"]);
    }

    /// Presses Ctrl+C until it has ended: two at once are one signal.
    pub(crate) fn ctrl_c_again_and_again(&self) {
        self.wait(|| {
            self.ctrl_c();
            self.ended()
        });
    }

    /// Its exit code, if it has ended.
    fn ended(&self) -> Option<i32> {
        let code = fs::read_to_string(self.dir.path().join("code")).ok()?;
        code.trim().parse().ok()
    }

    /// Its exit code, once it has ended.
    fn code(&self) -> i32 {
        self.wait(|| self.ended())
    }

    /// Its exit code, and what is seen then.
    pub(crate) fn end(self) -> (i32, Vec<String>) {
        (self.code(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The exit code of `ntwatch` with these words, and the lines of the screen when it has ended.
pub(crate) fn see(size: (usize, usize), device: &str, words: &[&str]) -> (i32, Vec<String>) {
    Terminal::start(size, device, words).end()
}

/// As [`see`], but all lines that were printed, also those that have scrolled away, and as they
/// were printed: one that the terminal had to break is longer than the terminal is wide.
pub(crate) fn printed(size: (usize, usize), device: &str, words: &[&str]) -> (i32, Vec<String>) {
    let terminal = Terminal::start(size, device, words);
    (terminal.code(), terminal.capture(&["-J", "-S", "-"]))
}

/// Checks that the terminal had to break none of the lines that were [`printed`].
pub(crate) fn assert_fits(lines: &[String], (columns, _): (usize, usize)) {
    for line in lines {
        assert!(line.width() <= columns, "{columns} columns: {line}");
    }
}

/// The first line that has this word.
pub(crate) fn line_with<'s>(screen: &'s [String], word: &str) -> &'s str {
    let line = screen.iter().find(|line| line.contains(word));
    line.unwrap_or_else(|| panic!("no {word:?} in:\n{}", screen.join("\n")))
}
