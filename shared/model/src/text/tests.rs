use proptest::prelude::*;

use super::invisible::is_invisible;
use super::*;

fn clean(text: &str) -> String {
    Untrusted::clean(text, 10_000).as_str().to_owned()
}

#[test]
fn plain_text_stays_as_it_is() {
    let text = "2026-11-22T10:00:00Z INFO ready: 3/3\tpods — café, 日本\nsecret \"db\" not found\n";
    assert_eq!(clean(text), text);
    assert_eq!(serde_json::to_value(Untrusted::clean("a", 64)).unwrap(), "a");
}

#[test]
fn what_cannot_be_seen_is_written_out() {
    assert_eq!(clean("a\u{202e}b"), "a‹U+202E›b");
    assert_eq!(clean("\u{1b}[31mred\u{1b}[0m"), "‹U+001B›[31mred‹U+001B›[0m");
    assert_eq!(clean("a\rb\r\nc\u{0}"), "a‹U+000D›b\nc‹U+0000›");
    assert_eq!(clean("\u{e0041}\u{200b}\u{feff}\u{9b}\u{2028}"), "‹U+E0041›‹U+200B›‹U+FEFF›‹U+009B›‹U+2028›");
}

#[test]
fn our_marks_cannot_be_forged() {
    assert_eq!(clean("‹redacted›"), "‹U+2039›redacted‹U+203A›");
}

#[test]
fn a_name_stays_on_one_line() {
    assert_eq!(visible("a\n\tb\r\n", 100), "a‹U+000A›‹U+0009›b‹U+000D›‹U+000A›");
}

#[test]
fn secrets_known_by_their_shape_are_redacted() {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEhunter2\n-----END RSA PRIVATE KEY-----";
    for (text, cleaned) in [
        ("x Bearer hunter2.abc y", "x Bearer ‹redacted› y"),
        ("got eyJhbGciOi.eyJzdWIi.hunter2 ok", "got ‹redacted› ok"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id ‹redacted›."),
        ("push ghp_0123456789abcdefghij now", "push ‹redacted› now"),
        ("use xoxb-1234-5678-hunter2", "use ‹redacted›"),
        ("postgres://bob:hunter2@db/x", "postgres://bob:‹redacted›@db/x"),
        ("postgres://bob:hun/ter@2@db/x", "postgres://bob:‹redacted›@db/x"),
        (pem, "-----BEGIN RSA PRIVATE KEY-----‹redacted›-----END RSA PRIVATE KEY-----"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEhunter2\ncut", "-----BEGIN PRIVATE KEY-----‹redacted›"),
        (
            "MIIEhunter2MIIEhunter2\nhunter2=\n-----END PRIVATE KEY-----",
            "‹redacted›-----END PRIVATE KEY-----",
        ),
    ] {
        assert_eq!(clean(text), cleaned);
    }
}

#[test]
fn secrets_known_by_their_name_are_redacted() {
    for (text, cleaned) in [
        ("password=hunter2 user=bob", "password=‹redacted› user=bob"),
        ("DB_PASSWORD_1 := hunter2", "DB_PASSWORD_1 := ‹redacted›"),
        ("GET /x?api_key=hunter2&page=2", "GET /x?api_key=‹redacted›&page=2"),
        (r#"{"token": "hun\"ter2", "user": "bob"}"#, r#"{"token": "‹redacted›", "user": "bob"}"#),
        (r#"{"token":12345,"password":"a b"}"#, r#"{"token":‹redacted›"password":"‹redacted›"}"#),
        (
            r#"{"log":"{\"secret\":\"hun\\\"ter2\",\"a\":1}"}"#,
            r#"{"log":"{\"secret\":\"‹redacted›",\"a\":1}"}"#,
        ),
        ("{'password': 'it''s hunter2', 'a': 1}", "{'password': '‹redacted›', 'a': 1}"),
        ("  passphrase: correct horse battery\nnext: 1", "  passphrase: ‹redacted›\nnext: 1"),
        ("a:\n  secret: |-\n    hunter2\n    more\n  b: 1", "a:\n  secret: ‹redacted›  b: 1"),
        ("name: DB_PASSWORD\n  value: hunter2", "name: DB_PASSWORD\n  value: ‹redacted›"),
        (r#"{"name":"API_KEY","value":"hun ter2"}"#, r#"{"name":"API_KEY","value":"‹redacted›"}"#),
        ("run --token hunter2 --dry", "run --token ‹redacted› --dry"),
        ("curl -H 'Authorization: Basic aGk6aGk=' x", "curl -H 'Authorization: ‹redacted›' x"),
        ("Cookie: a=hunter2; b=c", "Cookie: ‹redacted›"),
        ("<password>hunter2</password>", "<password>‹redacted›</password>"),
        ("token=abc,password=\"x y\"", "token=‹redacted›\"‹redacted›\""),
        ("A=1\u{0}PASSWORD=hunter2\u{0}B=2", "A=1‹U+0000›PASSWORD=‹redacted›‹U+0000›B=2"),
    ] {
        assert_eq!(clean(text), cleaned);
    }
}

#[test]
fn names_of_secrets_are_no_secrets() {
    for text in ["secretName: web-tls", "automountServiceAccountToken: false", "password_file=/run/x"] {
        assert_eq!(clean(text), text);
    }
}

#[test]
fn neither_colour_nor_invisible_characters_hide_a_secret() {
    assert_eq!(clean("\u{1b}[36mpassword=\u{1b}[0mhunter2 x"), "‹U+001B›[36mpassword=‹redacted› x");
    assert_eq!(clean("pass\u{200b}word=hun\u{200b}ter2"), "pass‹U+200B›word=‹redacted›");
}

fn knowing(values: &[&str]) -> Cleaner {
    let mut cleaner = Cleaner::default();
    values.iter().for_each(|value| cleaner.learn(value));
    cleaner
}

#[test]
fn a_value_that_is_known_is_redacted_wherever_it_stands() {
    let cleaner = knowing(&["tr0ub4dor&3\n", "short", "a\"b\\c d"]);
    for (text, cleaned) in [
        ("login with tr0ub4dor&3 failed", "login with ‹redacted› failed"),
        ("xtr0ub4dor&3x", "x‹redacted›x"),
        ("tr0ub\u{200b}4dor&3", "‹redacted›"),
        ("\u{1b}[1mtr0ub4\u{1b}[0mdor&3", "‹U+001B›[1m‹redacted›"),
        ("GET /?p=tr0ub4dor%263", "GET /?p=‹redacted›"),
        (r#"{"p": "a\"b\\c d"}"#, r#"{"p": "‹redacted›"}"#),
        ("tr0ub4dor and short words stay", "tr0ub4dor and short words stay"),
    ] {
        assert_eq!(cleaner.clean(text, 1000).as_str(), cleaned, "{text}");
        assert_eq!(cleaner.visible(text, 1000), cleaned, "{text}");
    }
    assert!(!format!("{cleaner:?}").contains("tr0ub"));
}

#[test]
fn what_a_known_value_holds_is_known_too() {
    let url = knowing(&["postgres://ana:tr0ub4dor@db/shop"]);
    assert_eq!(
        url.visible("password authentication failed: tr0ub4dor", 100),
        "password authentication failed: ‹redacted›"
    );
    let docker = knowing(&[r#"{"auths":{"registry":{"username":"ana","password":"tr0ub4dor"}}}"#]);
    assert_eq!(docker.visible("got tr0ub4dor", 100), "got ‹redacted›");
    let key = knowing(&["begin\nMIIEtr0ub4dortr0ub4dor\n}"]);
    assert_eq!(key.visible("12:00 MIIEtr0ub4dortr0ub4dor", 100), "12:00 ‹redacted›");
    assert_eq!(key.visible("begin }", 100), "begin }");
}

#[test]
fn lines_stay_lines_when_a_secret_goes_over_several() {
    let text = "1 a\n2 -----BEGIN PRIVATE KEY-----\n3 MIIE\n4 -----END PRIVATE KEY-----\n\n5 tr0ub4dor b";
    let lines = knowing(&["tr0ub4dor"]).lines(text);
    let expected = [
        "1 a",
        "2 -----BEGIN PRIVATE KEY-----",
        "‹redacted›",
        "‹redacted›-----END PRIVATE KEY-----",
        "",
        "5 ‹redacted› b",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_looks_like_the_beginning_of_a_colour_hides_no_secret() {
    assert_eq!(clean("\u{1b}[ghp_0123456789abcdefghij"), "‹U+001B›[‹redacted›");
    assert_eq!(knowing(&["tr0ub4dor"]).visible("\u{1b}[tr0ub4dor", 100), "‹U+001B›[‹redacted›");
}

#[test]
fn long_lines_and_long_texts_say_what_was_cut() {
    let cleaned = clean(&format!("{}\nb", "a".repeat(LONGEST_LINE + 7)));
    assert_eq!(cleaned, format!("{}‹line cut: 7 characters›\nb", "a".repeat(LONGEST_LINE)));
    let cleaned = Untrusted::clean(&"a\n".repeat(500), 100);
    assert_eq!(cleaned.as_str(), format!("{}‹cut: 940 bytes›", "a\n".repeat(30)));
}

#[test]
fn time_grows_with_the_length_only() {
    let pieces = [
        "password=",
        "password=| ",
        "token: |\n ",
        "\u{1b}[1;",
        "a://b:c@",
        "secret='\\\"",
        "-----BEGIN PRIVATE KEY-----",
    ];
    for piece in pieces {
        let begun = std::time::Instant::now();
        Untrusted::clean(&piece.repeat(200_000 / piece.len()), 1_000_000);
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{piece:?} took {:?}", begun.elapsed());
    }
}

proptest! {
    #[test]
    fn nothing_invisible_comes_out(text in any_text(), limit in 0usize..500) {
        let cleaned = Untrusted::clean(&text, limit);
        prop_assert!(cleaned.as_str().chars().all(|c| matches!(c, '\n' | '\t') || !is_invisible(c)));
        prop_assert!(!visible(&text, limit).chars().any(|c| c.is_control() || is_invisible(c)));
    }

    #[test]
    fn the_limit_holds(text in any_text(), limit in 0usize..500) {
        prop_assert!(Untrusted::clean(&text, limit).as_str().len() <= limit.max(SMALLEST_LIMIT));
        prop_assert!(visible(&text, limit).len() <= limit.max(SMALLEST_LIMIT));
    }

    #[test]
    fn a_known_value_never_comes_out(value in "[a-z][a-z\"\\\\ é]{6,20}[0-9]", before in any_text(), after in any_text()) {
        let text = format!("{before}{value}{after}");
        let cleaner = knowing(&[&value]);
        prop_assert!(!cleaner.clean(&text, 10_000).as_str().contains(value.trim()));
        prop_assert!(!cleaner.lines(&text).join("\n").contains(value.trim()));
        prop_assert_eq!(cleaner.lines(&text).len(), text.split('\n').count());
    }

    #[test]
    fn a_named_secret_never_comes_out(before in any_text(), after in any_text()) {
        let text = format!("{before}\npassword=hunter2\n{after}");
        prop_assert!(!clean(&text).contains("hunter2"));
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "\u{202e}",
        "\u{e0041}",
        "\u{200b}",
        "\r",
        "\u{1b}[",
        "\u{9b}",
        "‹",
        "›",
        "\n",
        "\t",
        "\"",
        "'",
        "\\",
        "token:",
        "|\n ",
        "a://b:c@",
        "Bearer x",
        "-----BEGIN PRIVATE KEY-----",
        "é",
        "\u{0}",
        "secret=",
    ]);
    prop::collection::vec(
        prop_oneof![odd.prop_map(str::to_owned), any::<char>().prop_map(String::from)],
        0..60,
    )
    .prop_map(|pieces| pieces.concat())
}
