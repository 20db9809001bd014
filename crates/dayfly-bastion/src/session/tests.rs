#![allow(clippy::unwrap_used)]
use super::*;
use dayfly_core::role::{Extension, ForceCommand, SessionRules, Start};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn rules(extensions: &[Extension], force_command: Option<&str>) -> Rules {
    let forced = force_command.map(|command| ForceCommand::new(command).unwrap());
    Rules::new(SessionRules::default(), extensions.iter().copied().collect(), forced)
}

fn permitted(rules: Rules) -> Session {
    let mut session = Session::default();
    assert_eq!(session.on(Event::Permitted(rules)), []);
    session
}

fn begun(start: StartRequest) -> Session {
    let mut session = permitted(rules(&[Extension::PermitPty], None));
    session.on(Event::TargetReady);
    session.on(Event::StartRequested(start));
    session
}

fn terminal() -> Terminal {
    Terminal { term: "xterm".to_owned(), size: size(80), modes: vec![(53, 1)] }
}

fn size(columns: u32) -> Size {
    Size { columns, rows: 24, width: 0, height: 0 }
}

fn exec(command: &str) -> StartRequest {
    StartRequest::Exec(command.as_bytes().to_vec())
}

fn refusal(reason: Reason) -> Refusal {
    Refusal::new(reason, "no", "ask")
}

fn plan(actions: &[Action]) -> &Plan {
    actions.iter().find_map(|action| if let Action::Begin(plan) = action { Some(plan) } else { None }).unwrap()
}

fn ending(actions: &[Action]) -> &Ending {
    let Some(Action::Finish(ending)) = actions.last() else { unreachable!("{actions:?}") };
    ending
}

fn words(actions: &[Action]) -> String {
    actions.iter().filter_map(|action| if let Action::Tell(words) = action { Some(words.as_str()) } else { None }).collect()
}

#[test]
fn a_start_waits_for_the_target_and_carries_what_was_asked_before_it() {
    let mut session = permitted(rules(&[Extension::PermitPty], None));
    assert_eq!(session.on(Event::TerminalRequested(terminal())), [Action::Accept]);
    assert_eq!(session.on(Event::VariableRequested { name: "LANG".into(), value: "C".into() }), [Action::Accept]);
    assert_eq!(session.on(Event::VariableRequested { name: "LD_PRELOAD".into(), value: "x".into() }), [Action::Decline]);
    assert_eq!(session.on(Event::Resized(size(100))), []);
    assert_eq!(session.on(Event::StartRequested(StartRequest::Shell)), [Action::Accept]);
    let actions = session.on(Event::TargetReady);
    let plan = plan(&actions);
    assert_eq!(plan.terminal.as_ref().unwrap().size.columns, 100);
    assert_eq!(plan.environment, [("LANG".to_owned(), "C".to_owned())]);
    assert_eq!(session.on(Event::Resized(size(120))), [Action::Resize(size(120))]);
    assert_eq!(session.on(Event::Signalled("USR1".into())), [Action::Signal("USR1".into())]);
    assert_eq!(session.on(Event::Signalled("X\u{1b}".into())), []);
}

#[test]
fn one_start_a_channel_and_nothing_more_to_prepare_after_it() {
    let mut session = begun(exec("true"));
    assert_eq!(session.on(Event::StartRequested(StartRequest::Shell)), [Action::Decline]);
    assert_eq!(session.on(Event::TerminalRequested(terminal())), [Action::Decline]);
    assert_eq!(session.on(Event::VariableRequested { name: "LANG".into(), value: "C".into() }), [Action::Decline]);
}

#[test]
fn a_terminal_needs_permit_pty_and_the_person_is_told() {
    let mut session = permitted(rules(&[], None));
    assert_eq!(session.on(Event::TerminalRequested(terminal())), [Action::Decline]);
    session.on(Event::TargetReady);
    let actions = session.on(Event::StartRequested(StartRequest::Shell));
    assert!(words(&actions).contains("permit-pty"), "{actions:?}");
    assert_eq!(plan(&actions).terminal, None);
}

#[test]
fn a_start_that_the_role_does_not_allow_is_told_and_not_begun() {
    let only_sftp = SessionRules { allow: BTreeSet::from([Start::Sftp]), ..SessionRules::default() };
    for start in [StartRequest::Shell, exec("true"), StartRequest::Subsystem("netconf".into())] {
        let mut session = permitted(Rules::new(only_sftp.clone(), BTreeSet::new(), None));
        session.on(Event::TargetReady);
        let actions = session.on(Event::StartRequested(start));
        assert_eq!(actions.first(), Some(&Action::Accept));
        assert!(words(&actions).contains("(not_allowed)"), "{actions:?}");
        assert!(actions.contains(&Action::ClientExit(Exit::Status(EXIT_REFUSED))));
        assert_eq!(ending(&actions).outcome, Outcome::Refused);
    }
    let mut session = permitted(Rules::new(only_sftp, BTreeSet::new(), None));
    session.on(Event::TargetReady);
    assert!(matches!(session.on(Event::StartRequested(StartRequest::Subsystem("sftp".into())))[..], [Action::Accept, Action::Begin(_)]));
}

fn forwarding(to: &str) -> Session {
    Session::forwarding(to.parse().unwrap())
}

fn forwards(pattern: &str, extensions: &[Extension]) -> Rules {
    let session = SessionRules { forward_to: BTreeSet::from([pattern.parse().unwrap()]), ..SessionRules::default() };
    Rules::new(session, extensions.iter().copied().collect(), None)
}

#[test]
fn a_forwarded_connection_begins_by_itself_and_has_neither_words_nor_exit() {
    let mut session = forwarding("localhost:5432");
    assert_eq!(session.on(Event::Permitted(forwards("localhost:5432", &[Extension::PermitPortForwarding]))), []);
    let actions = session.on(Event::TargetReady);
    assert_eq!(plan(&actions).start, StartRequest::Forward("localhost:5432".parse().unwrap()));
    assert_eq!(session.on(Event::StartRequested(exec("id"))), [Action::Decline]);
    assert_eq!(session.on(Event::TerminalRequested(terminal())), [Action::Decline]);
    assert_eq!(session.on(Event::ClientEof), [Action::TargetEof]);
    assert_eq!(session.on(Event::TargetEof), [Action::ClientEof], "nobody waits for an exit that never comes");
    let actions = session.on(Event::TargetClosed);
    assert!(matches!(&actions[..], [Action::Finish(ending)] if ending.outcome == Outcome::Completed), "{actions:?}");
}

#[test]
fn a_connection_that_arrived_begins_where_the_role_listens_and_takes_no_other_start() {
    let (at, from) = ("localhost:8080".parse::<ListenAddress>().unwrap(), "203.0.113.9:4711".parse().unwrap());
    let listens = |pattern: &str, extensions: &[Extension]| {
        let session = SessionRules { listen_on: BTreeSet::from([pattern.parse().unwrap()]), ..SessionRules::default() };
        Rules::new(session, extensions.iter().copied().collect(), None)
    };
    let mut session = Session::arrived(at.clone(), from);
    assert_eq!(session.on(Event::Permitted(listens("localhost:8080", &[Extension::PermitPortForwarding]))), []);
    assert_eq!(plan(&session.on(Event::TargetReady)).start, StartRequest::Arrival { at: at.clone(), from });
    assert_eq!(session.on(Event::StartRequested(exec("id"))), [Action::Decline]);
    assert_eq!(session.on(Event::RefusedBeside("tcpip-forward", refusal(Reason::NotAllowed))), [], "programs hear no words");
    for rules in [listens("localhost:8081", &[Extension::PermitPortForwarding]), listens("localhost:8080", &[]), rules(&[], None)] {
        let actions = Session::arrived(at.clone(), from).on(Event::Permitted(rules));
        assert!(matches!(&actions[..], [Action::ClientEof, Action::Finish(ending)] if ending.outcome == Outcome::Refused), "{actions:?}");
    }
}

#[test]
fn row_12_an_agent_is_forwarded_where_rules_and_certificate_say_so() {
    let with = |extensions: &[Extension], forced: Option<&str>| {
        let session = SessionRules { forward_agent: true, ..SessionRules::default() };
        Rules::new(session, extensions.iter().copied().collect(), forced.map(|command| ForceCommand::new(command).unwrap()))
    };
    let agent = [Extension::PermitAgentForwarding, Extension::PermitPty];
    let asked = |rules: Rules, event: Event| {
        let mut session = permitted(rules);
        session.on(Event::TerminalRequested(terminal()));
        let answer = session.on(event);
        session.on(Event::TargetReady);
        (answer, session.on(Event::StartRequested(StartRequest::Shell)))
    };
    let (answer, begun) = asked(with(&agent, None), Event::AgentRequested);
    assert_eq!((answer, plan(&begun).agent), (vec![Action::Accept], true));
    assert!(!plan(&asked(with(&agent, None), Event::ClientEof).1).agent, "for those alone that ask");
    for rules in [with(&agent, Some("backup")), with(&[Extension::PermitPty], None), rules(&agent, None)] {
        let (answer, begun) = asked(rules, Event::AgentRequested);
        assert!(matches!(&answer[..], [Action::Decline, Action::NoteRefused("auth-agent-req@openssh.com", _)]), "{answer:?}");
        assert!(!plan(&begun).agent);
    }
    let (_, begun) = asked(rules(&agent, None), Event::AgentRequested);
    assert!(words(&begun).contains("does not forward the agent to this target (not_allowed)"), "{begun:?}");
    let mut late = begun_with(with(&agent, None));
    assert_eq!(late.on(Event::AgentRequested), [Action::Decline]);
}

fn begun_with(rules: Rules) -> Session {
    let mut session = permitted(rules);
    session.on(Event::TargetReady);
    session.on(Event::StartRequested(StartRequest::Shell));
    session
}

#[test]
fn what_was_refused_beside_a_session_is_told_before_it_begins_and_later_at_terminals_alone() {
    let beside = || Event::RefusedBeside("tcpip-forward", refusal(Reason::NotAllowed));
    let mut program = permitted(rules(&[], None));
    assert_eq!(program.on(beside()), [Action::NoteRefused("tcpip-forward", "no".to_owned())]);
    program.on(Event::TargetReady);
    assert!(words(&program.on(Event::StartRequested(exec("true")))).starts_with("dayfly: no (not_allowed)\r\n"));
    assert_eq!(words(&program.on(beside())), "");
    let mut shown = permitted(rules(&[Extension::PermitPty], None));
    shown.on(Event::TerminalRequested(terminal()));
    shown.on(Event::TargetReady);
    shown.on(Event::StartRequested(StartRequest::Shell));
    assert!(words(&shown.on(beside())).contains("(not_allowed)"));
}

#[test]
fn row_12_nothing_else_can_be_started_on_a_forwarded_connection() {
    let mut session = forwarding("localhost:5432");
    for early in [StartRequest::Shell, exec("id"), StartRequest::Subsystem("sftp".into())] {
        assert_eq!(session.on(Event::StartRequested(early)), [Action::Decline], "before the CA answered");
    }
}

#[test]
fn row_11_a_forward_needs_the_extension_the_destination_and_no_forced_command() {
    let may = [Extension::PermitPortForwarding];
    let session = |pattern: &str| SessionRules { forward_to: BTreeSet::from([pattern.parse().unwrap()]), ..SessionRules::default() };
    let forced = Rules::new(session("*:*"), may.into(), Some(ForceCommand::new("backup").unwrap()));
    for rules in [forwards("localhost:5432", &[]), forwards("localhost:5433", &may), forced] {
        let actions = forwarding("localhost:5432").on(Event::Permitted(rules));
        assert!(matches!(&actions[..], [Action::ClientEof, Action::Finish(ending)] if ending.outcome == Outcome::Refused), "{actions:?}");
    }
}

#[test]
fn row_04_a_forced_command_is_kept_and_rules_out_subsystems() {
    let mut session = permitted(rules(&[], Some("backup")));
    session.on(Event::TargetReady);
    let actions = session.on(Event::StartRequested(StartRequest::Subsystem("sftp".into())));
    assert!(words(&actions).contains("(not_allowed)"), "{actions:?}");
    for start in [StartRequest::Shell, exec("rm -rf /")] {
        let mut session = permitted(rules(&[], Some("backup")));
        session.on(Event::TargetReady);
        let actions = session.on(Event::StartRequested(start.clone()));
        assert_eq!(plan(&actions).forced.as_ref().unwrap().as_str(), "backup");
        assert_eq!(plan(&actions).start, start, "the target's sshd learns what was asked for");
    }
}

#[test]
fn a_refusal_is_told_when_something_is_started_and_not_before() {
    let mut session = Session::default();
    assert_eq!(session.on(Event::Refused(refusal(Reason::PrincipalMismatch))), []);
    assert_eq!(session.on(Event::TerminalRequested(terminal())), [Action::Decline]);
    let actions = session.on(Event::StartRequested(exec("true")));
    assert!(words(&actions).starts_with("dayfly: no (principal_mismatch)\r\ndayfly: ask"), "{actions:?}");
    assert_eq!(ending(&actions).refusal, Some(refusal(Reason::PrincipalMismatch)));
}

#[test]
fn a_target_that_cannot_be_reached_is_told_whether_before_or_after_the_start() {
    let failure = || Event::TargetFailed(refusal(Reason::TargetUnavailable));
    let mut before = permitted(rules(&[], None));
    assert_eq!(before.on(failure()), []);
    assert!(words(&before.on(Event::StartRequested(StartRequest::Shell))).contains("(target_unavailable)"));
    let mut after = permitted(rules(&[], None));
    after.on(Event::StartRequested(StartRequest::Shell));
    assert!(words(&after.on(failure())).contains("(target_unavailable)"));
}

#[test]
fn each_side_ends_by_itself_and_the_exit_comes_before_the_close() {
    let mut session = begun(exec("cat"));
    assert_eq!(session.on(Event::ClientEof), [Action::TargetEof]);
    assert_eq!(session.on(Event::ClientEof), []);
    assert_eq!(session.on(Event::TargetExited(Exit::Status(7))), [Action::ClientExit(Exit::Status(7))]);
    assert_eq!(session.on(Event::TargetEof), [Action::ClientEof]);
    let actions = session.on(Event::TargetClosed);
    assert_eq!((actions.len(), ending(&actions).outcome), (1, Outcome::Completed));
}

#[test]
fn an_exit_is_told_before_an_end_that_would_make_the_client_close() {
    let exit = || Event::TargetExited(Exit::Status(7));
    let mut done = begun(exec("true"));
    done.on(Event::ClientEof);
    assert_eq!(done.on(Event::TargetEof), []);
    assert_eq!(done.on(exit()), [Action::ClientExit(Exit::Status(7)), Action::ClientEof]);
    let mut typing = begun(exec("exec >&-; cat"));
    assert_eq!(typing.on(Event::TargetEof), [Action::ClientEof], "whose input goes on hears of it at once");
    typing.on(Event::ClientEof);
    assert_eq!(typing.on(exit()), [Action::ClientExit(Exit::Status(7))]);
}

#[test]
fn what_a_client_sent_before_it_left_still_arrives_and_the_target_may_end_by_itself() {
    let mut session = begun(exec("cat > file"));
    assert_eq!(session.on(Event::ClientLeft), [Action::Linger]);
    assert_eq!(session.on(Event::ClientDrained), [Action::TargetEof]);
    assert_eq!(session.on(Event::TargetExited(Exit::Status(0))), [Action::ClientExit(Exit::Status(0))]);
    assert_eq!(ending(&session.on(Event::TargetClosed)).outcome, Outcome::ClientGone);
    let mut stubborn = begun(StartRequest::Shell);
    stubborn.on(Event::ClientLeft);
    assert_eq!(ending(&stubborn.on(Event::LingeredEnough)).outcome, Outcome::ClientGone);
    let mut in_a_hurry = permitted(rules(&[], None));
    in_a_hurry.on(Event::StartRequested(exec("cat > file")));
    assert_eq!(in_a_hurry.on(Event::ClientLeft), [Action::Linger]);
    assert!(matches!(in_a_hurry.on(Event::TargetReady)[..], [Action::Begin(_)]), "it was asked for, and the target gets it");
    assert_eq!(ending(&permitted(rules(&[], None)).on(Event::ClientLeft)).outcome, Outcome::Completed);
}

#[test]
fn a_target_that_says_no_or_goes_away_is_told() {
    let mut declined = begun(StartRequest::Subsystem("sftp".into()));
    let actions = declined.on(Event::StartDeclined);
    assert!(words(&actions).contains("sftp"), "{actions:?}");
    let mut dark = begun(exec("bash"));
    let actions = dark.on(Event::TerminalDeclined);
    assert!(words(&actions).contains("does not give a terminal") && ending(&actions).outcome == Outcome::Refused, "{actions:?}");
    let mut gone = begun(exec("true"));
    let actions = gone.on(Event::TargetGone);
    assert_eq!(ending(&actions).outcome, Outcome::TargetGone);
    assert!(actions.contains(&Action::ClientExit(Exit::Status(EXIT_REFUSED))));
}

#[test]
fn a_notice_reaches_a_terminal_now_or_when_it_opens_and_no_program() {
    let notice = || Event::Noticed("soon\r\n".to_owned());
    let mut typing = permitted(rules(&[Extension::PermitPty], None));
    assert_eq!(typing.on(notice()), []);
    typing.on(Event::TerminalRequested(terminal()));
    typing.on(Event::TargetReady);
    let actions = typing.on(Event::StartRequested(StartRequest::Shell));
    assert!(matches!(&actions[..], [Action::Accept, Action::Tell(words), Action::Begin(_)] if words == "soon\r\n"), "{actions:?}");
    assert_eq!(typing.on(notice()), [Action::Tell("soon\r\n".to_owned())]);
    let mut program = permitted(rules(&[], None));
    program.on(notice());
    program.on(Event::TargetReady);
    assert!(matches!(&program.on(Event::StartRequested(exec("true")))[..], [Action::Accept, Action::Begin(_)]));
    assert_eq!(program.on(notice()), []);
}

#[test]
fn row_13_a_recording_that_fails_ends_the_session_and_says_why() {
    let mut session = begun(exec("true"));
    let actions = session.on(Event::RecordingFailed("disk full".into()));
    assert!(words(&actions).contains("disk full") && words(&actions).contains("(recording_unavailable)"));
    assert_eq!(ending(&actions).outcome, Outcome::RecordingFailed);
}

#[test]
fn what_a_client_may_send_is_bounded() {
    let mut session = permitted(rules(&[Extension::PermitPty], None));
    let variable = |value: &str| Event::VariableRequested { name: "LC_X".into(), value: value.into() };
    assert_eq!(session.on(variable(&"x".repeat(LONGEST_VALUE + 1))), [Action::Decline]);
    assert_eq!(session.on(variable("a\0b")), [Action::Decline]);
    for _ in 0..MOST_VARIABLES {
        assert_eq!(session.on(variable("x")), [Action::Accept]);
    }
    assert_eq!(session.on(variable("x")), [Action::Decline]);
    assert_eq!(session.on(Event::StartRequested(StartRequest::Exec(vec![b'x'; LONGEST_COMMAND + 1]))), [Action::Decline]);
}

fn event() -> impl Strategy<Value = Event> {
    let reason = prop_oneof![Just(Reason::Revoked), Just(Reason::TargetUnavailable), Just(Reason::CaUnavailable)];
    let start = prop_oneof![
        Just(StartRequest::Shell),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(StartRequest::Exec),
        prop_oneof![Just("sftp"), Just("x")].prop_map(|name| StartRequest::Subsystem(name.to_owned())),
    ];
    let extensions = prop_oneof![Just(vec![]), Just(vec![Extension::PermitPty])];
    let forced = prop_oneof![Just(None), Just(Some("backup"))];
    prop_oneof![
        (extensions, forced).prop_map(|(extensions, forced)| Event::Permitted(rules(&extensions, forced))),
        Just(Event::Permitted(forwards("localhost:5432", &[Extension::PermitPortForwarding]))),
        reason.prop_map(|reason| Event::Refused(refusal(reason))),
        Just(Event::TerminalRequested(terminal())),
        "[A-Z_]{1,5}".prop_map(|name| Event::VariableRequested { name, value: String::new() }),
        start.prop_map(Event::StartRequested),
        Just(Event::OtherRequested("x11-req")),
        Just(Event::AgentRequested),
        Just(Event::RefusedBeside("tcpip-forward", refusal(Reason::NotAllowed))),
        Just(Event::TargetOpened("auth-agent@openssh.com")),
        any::<u32>().prop_map(|columns| Event::Resized(size(columns))),
        "[A-Z ]{0,4}".prop_map(Event::Signalled),
        Just(Event::ClientEof),
        Just(Event::ClientLeft),
        Just(Event::ClientDrained),
        Just(Event::LingeredEnough),
        Just(Event::TargetReady),
        Just(Event::TargetFailed(refusal(Reason::TargetUnavailable))),
        Just(Event::TerminalDeclined),
        Just(Event::StartDeclined),
        Just(Event::TargetEof),
        any::<u32>().prop_map(|status| Event::TargetExited(Exit::Status(status))),
        Just(Event::TargetClosed),
        Just(Event::TargetGone),
        Just(Event::RecordingFailed("full".to_owned())),
        Just(Event::Noticed("soon\r\n".to_owned())),
        Just(Event::Terminated { reason: Reason::Revoked, message: "revoked".to_owned() }),
    ]
}

/// Whether an event must end a session that is not over yet.
fn ends(event: &Event) -> bool {
    matches!(event, Event::TargetGone | Event::TargetClosed | Event::RecordingFailed(_) | Event::Terminated { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn whatever_happens_in_whatever_order_the_ends_are_closed_once(is_forward: bool, events in prop::collection::vec(event(), 0..40)) {
        let mut session = if is_forward { forwarding("localhost:5432") } else { Session::default() };
        let (mut permitted, mut refused, mut ready, mut over) = (false, false, false, false);
        let mut all = Vec::new();
        for event in events.into_iter().chain([Event::ClientLeft, Event::LingeredEnough]) {
            match &event {
                Event::Permitted(_) if !refused => permitted = true,
                Event::Refused(_) | Event::TargetFailed(_) if !over => refused = true,
                Event::TargetReady => ready = true,
                _ => {}
            }
            let (asks, must_end) = (event.wants_answer(), ends(&event));
            let actions = session.on(event);
            let answers = actions.iter().filter(|action| matches!(action, Action::Accept | Action::Decline)).count();
            prop_assert_eq!(answers, usize::from(asks));
            let finished = actions.iter().any(|action| matches!(action, Action::Finish(_)));
            if over {
                prop_assert!(actions.iter().all(|action| *action == Action::Decline));
            } else if finished {
                // What failed is told, and by an exit that a program can see; then nothing more.
                prop_assert!(matches!(actions.last(), Some(Action::Finish(_))), "{actions:?}");
                let has_told = actions.iter().any(|action| matches!(action, Action::Tell(_)));
                let has_exit = all.iter().chain(&actions).any(|action| matches!(action, Action::ClientExit(_)));
                prop_assert!(ending(&actions).refusal.is_none() || is_forward || (has_told && has_exit), "{actions:?}");
            } else if must_end {
                prop_assert!(finished, "{actions:?}");
            }
            for action in &actions {
                match action {
                    Action::Tell(_) => prop_assert!(!is_forward, "two programs would take it for data"),
                    Action::Begin(_) => prop_assert!(permitted && ready && !refused),
                    Action::Resize(_) | Action::Signal(_) | Action::TargetEof => {
                        prop_assert!(all.iter().any(|action| matches!(action, Action::Begin(_))));
                    }
                    _ => {}
                }
            }
            over |= finished;
            all.extend(actions);
        }
        let count = |wanted: fn(&Action) -> bool| all.iter().filter(|action| wanted(action)).count();
        prop_assert_eq!(count(|action| matches!(action, Action::Finish(_))), 1);
        prop_assert!(count(|action| matches!(action, Action::Begin(_))) <= 1);
        prop_assert!(count(|action| *action == Action::ClientEof) <= 1);
        prop_assert!(count(|action| *action == Action::TargetEof) <= 1);
        prop_assert!(count(|action| *action == Action::Linger) <= 1);
        prop_assert!(count(|action| matches!(action, Action::ClientExit(_))) <= 1);
    }
}

#[test]
fn whoever_has_left_before_the_exit_ends_with_the_exit_and_nothing_after_it() {
    let mut session = begun(exec("true"));
    assert_eq!(session.on(Event::ClientLeft), [Action::Linger]);
    session.on(Event::TargetExited(Exit::Status(0)));
    let actions = session.on(Event::ClientDrained);
    assert!(matches!(actions[..], [Action::Finish(_)]), "{actions:?}");
}
