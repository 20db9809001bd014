use super::{
    sample::{Sample, context, identity, policy, request, roles},
    *,
};
use crate::{principal::Principal, role::Extension, validity::Ttl};

mod conditions;
mod narrowing;
mod remedies;

const DB_ADMIN: &str = "principals = [\"deploy@{target}\"]\ntargets = [\"db\"]\n";

/// The sample with one role `r`, described by `role`, that everybody may have at every target.
fn with_role(role: &str) -> Sample {
    let mut sample = Sample::new();
    sample.roles = roles(&format!("[[role]]\nname = \"r\"\n{role}"), &sample.inventory);
    sample.policy = policy("@id(\"everybody\") permit(principal, action in [Action::\"request\", Action::\"connect\"], resource);");
    sample
}

/// The sample under another policy.
fn with_policy(text: &str) -> Sample {
    Sample { policy: policy(text), ..Sample::new() }
}

fn decided(sample: &Sample, who: &Identity, request: &CertificateRequest) -> Result<Grant, Refusal> {
    decide(sample.rules(), who, &context(), request, Uuid::from_u128(1)).into_grant()
}

#[track_caller]
fn refused(sample: &Sample, who: &Identity, request: &CertificateRequest, reason: Reason, says: &str) {
    let refusal = decided(sample, who, request).unwrap_err();
    assert!(refusal.reason == reason && refusal.message.contains(says) && !refusal.remedy.is_empty(), "{refusal:?}");
}

fn alice() -> Identity {
    identity("alice", &["dba"])
}

fn names<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

#[test]
fn a_grant_is_what_the_role_gives_at_the_targets_that_were_asked_for() {
    let grant = decided(&Sample::new(), &alice(), &request("db-admin", &["db1"])).unwrap();
    assert_eq!(grant.id(), Uuid::from_u128(1));
    assert_eq!(grant.subject().to_string(), "alice");
    assert_eq!(grant.role().as_str(), "db-admin");
    assert_eq!(names(grant.targets()), ["db1"]);
    assert_eq!(names(grant.principals()), ["deploy@db1"]);
    assert_eq!(grant.ttl(), Ttl::DEFAULT);
    assert_eq!(grant.extensions, BTreeSet::from([Extension::PermitPty]));
    assert!(grant.force_command.is_none() && grant.source_address.is_empty());
    let explanation = Explanation { policies: BTreeSet::from(["dba-may-use-db-admin".to_owned()]), narrowed: Vec::new() };
    assert_eq!(*grant.explanation(), explanation);
}

#[test]
fn roles_and_targets_must_exist_and_fit() {
    let sample = Sample::new();
    refused(&sample, &alice(), &request("db-admn", &["db1"]), Reason::UnknownRole, "db-admn");
    refused(&sample, &alice(), &request("db-admin", &["db1", "db9"]), Reason::UnknownTarget, "db9");
    refused(&sample, &alice(), &request("db-admin", &["db1", "web1"]), Reason::TargetOutsideRole, "web1");
    refused(&sample, &alice(), &request("db-admin", &["all"]), Reason::TargetOutsideRole, "all");
}

#[test]
fn nobody_else_gets_it() {
    let sample = Sample::new();
    for who in [identity("bob", &[]), identity("bob", &["developers"]), identity("dba", &[]), identity("machine:alice", &["db"])] {
        refused(&sample, &who, &request("db-admin", &["db1"]), Reason::PolicyDenied, "no policy permits");
        refused(&sample, &who, &request("db-admin", &[]), Reason::PolicyDenied, "db1");
    }
}

#[test]
fn a_person_and_a_machine_of_one_name_are_two() {
    let sample = with_policy("@id(\"ci\") permit(principal == Machine::\"ci\", action == Action::\"request\", resource);");
    assert!(decided(&sample, &identity("machine:ci", &[]), &request("web", &["web1"])).is_ok());
    refused(&sample, &identity("ci", &[]), &request("web", &["web1"]), Reason::PolicyDenied, "ci");
}

#[test]
fn a_forbid_wins_and_is_named() {
    let sample = with_policy(
        "@id(\"p\") permit(principal, action == Action::\"request\", resource);\n\
         @id(\"not-db2\") forbid(principal, action == Action::\"request\", resource) when { context.target == Target::\"db2\" };",
    );
    refused(
        &sample,
        &alice(),
        &request("db-admin", &["db"]),
        Reason::PolicyForbidden,
        "policy not-db2 forbids alice to have role db-admin at db2",
    );
    let grant = decided(&sample, &alice(), &request("db-admin", &[])).unwrap();
    assert_eq!(names(grant.targets()), ["db1"]);
    assert!(matches!(grant.explanation().narrowed.as_slice(), [one] if one.starts_with("db2 was left out: policy not-db2 forbids")));
}

#[test]
fn a_policy_that_cannot_be_evaluated_refuses() {
    for erring in [
        "@id(\"erring\") forbid(principal, action == Action::\"request\", resource) when { context.ttl_seconds * 9223372036854775807 > 0 };",
        "@id(\"erring\") forbid(principal, action == Action::\"request\", resource) when { Target::\"gone\".mode == \"record\" };",
        "@id(\"erring\") permit(principal, action == Action::\"request\", resource) when { context.ttl_seconds * 9223372036854775807 > 0 };",
    ] {
        let sample = with_policy(&format!("@id(\"p\") permit(principal, action == Action::\"request\", resource);\n{erring}"));
        for scopes in [&["db1"][..], &[]] {
            refused(&sample, &alice(), &request("db-admin", scopes), Reason::PolicyError, "erring");
        }
        assert!(requestable(sample.rules(), &alice(), &context()).is_empty());
    }
}

#[test]
fn an_error_at_one_target_refuses_all_of_them() {
    let sample = with_policy(
        "@id(\"p\") permit(principal, action == Action::\"request\", resource);\n@id(\"erring\") forbid(principal, action == Action::\"request\", \
         resource) when { context.target == Target::\"db2\" && context.ttl_seconds * 9223372036854775807 > 0 };",
    );
    assert!(decided(&sample, &alice(), &request("db-admin", &["db1"])).is_ok());
    refused(&sample, &alice(), &request("db-admin", &[]), Reason::PolicyError, "erring");
}

#[test]
fn a_policy_may_ask_about_another_target_by_name() {
    let sample = with_policy(
        "@id(\"p\") permit(principal, action == Action::\"request\", resource) when { Target::\"web1\".mode == \"passthrough\" && Target::\"db2\" in \
         TargetGroup::\"db\" && !(Target::\"web1\" in TargetGroup::\"db\") };",
    );
    assert!(decided(&sample, &alice(), &request("db-admin", &["db1"])).is_ok());
}

#[test]
fn row_19_default_deny() {
    let sample = Sample { policy: Policy::deny_all(), ..Sample::new() };
    assert_eq!(sample.policy.ids().count(), 0);
    let everybody = identity("alice", &["dba", "developers", "reviewers", "admin", "wheel"]);
    for (role, scopes) in [("db-admin", &["db1"][..]), ("db-admin", &["db"]), ("db-admin", &[]), ("web", &["web1"]), ("web", &[])] {
        refused(&sample, &everybody, &request(role, scopes), Reason::PolicyDenied, role);
    }
    assert!(requestable(sample.rules(), &everybody, &context()).is_empty());
    let (role, target, bastion) = ("db-admin".parse().unwrap(), "db1".parse().unwrap(), "gate".parse().unwrap());
    let connect = may_connect(sample.rules(), &everybody, &context(), &role, &target, &bastion, None);
    assert_eq!(connect.unwrap_err().reason, Reason::PolicyDenied);
    for scope in ["db1", "db", "all"] {
        let review = may_review(sample.rules(), &everybody, &context(), &scope.parse().unwrap());
        assert_eq!(review.unwrap_err().reason, Reason::PolicyDenied);
    }
    // Whatever action the schema learns, there is nothing that could permit it.
    for slice in [sample.policy.slices.of_role(&role), sample.policy.slices.of_targets()] {
        assert!(slice.statements.is_empty());
    }
}

#[test]
fn row_19_one_action_is_not_another() {
    let (role, target, bastion) = ("db-admin".parse().unwrap(), "db1".parse().unwrap(), "gate".parse().unwrap());
    for permitted in ["request", "connect", "review", "approve", "administer"] {
        let sample = with_policy(&format!("@id(\"p\") permit(principal, action == Action::\"{permitted}\", resource);"));
        let answers = [
            ("request", decided(&sample, &alice(), &request("db-admin", &["db1"])).is_ok()),
            ("connect", may_connect(sample.rules(), &alice(), &context(), &role, &target, &bastion, None).is_ok()),
            ("review", may_review(sample.rules(), &alice(), &context(), &"db1".parse().unwrap()).is_ok()),
        ];
        for (action, answer) in answers {
            assert_eq!(answer, action == permitted, "{action} under {permitted}");
        }
    }
}

#[test]
fn a_connection_is_asked_about_anew() {
    let sample = Sample::new();
    let connect = |who: &Identity, role: &str, target: &str| {
        let (role, target, bastion) = (role.parse().unwrap(), target.parse().unwrap(), "gate".parse().unwrap());
        may_connect(sample.rules(), who, &context(), &role, &target, &bastion, Some(&"deploy".parse().unwrap()))
    };
    assert_eq!(names(connect(&alice(), "db-admin", "db1").unwrap().policies), ["dba-may-use-db-admin"]);
    let reason = |who: &Identity, role: &str, target: &str| connect(who, role, target).unwrap_err().reason;
    assert_eq!(reason(&identity("alice", &[]), "db-admin", "db1"), Reason::PolicyDenied);
    assert_eq!(reason(&alice(), "gone", "db1"), Reason::UnknownRole);
    assert_eq!(reason(&alice(), "db-admin", "gone"), Reason::UnknownTarget);
    assert_eq!(reason(&alice(), "db-admin", "db"), Reason::UnknownTarget);
    assert_eq!(reason(&alice(), "db-admin", "web1"), Reason::TargetOutsideRole);
}

#[test]
fn a_connection_can_depend_on_bastion_and_account() {
    let sample = with_policy(
        "@id(\"p\") permit(principal, action == Action::\"connect\", resource) when { context.bastion == Bastion::\"gate\" && context has account \
         && context.account == \"deploy\" };",
    );
    let connect = |bastion: &str, account: Option<&str>| {
        let (role, target, bastion) = ("web".parse().unwrap(), "web1".parse().unwrap(), bastion.parse().unwrap());
        let account = account.map(|account| account.parse().unwrap());
        may_connect(sample.rules(), &alice(), &context(), &role, &target, &bastion, account.as_ref()).is_ok()
    };
    assert!(connect("gate", Some("deploy")));
    assert!(!connect("gate", Some("root")) && !connect("gate", None) && !connect("other", Some("deploy")));
}

#[test]
fn a_group_is_no_way_around_a_forbidden_target() {
    let carol = identity("carol", &["reviewers"]);
    let review = |sample: &Sample, who: &Identity, scope: &str| may_review(sample.rules(), who, &context(), &scope.parse().unwrap());
    let sample = Sample::new();
    for scope in ["db1", "db", "all"] {
        assert_eq!(names(review(&sample, &carol, scope).unwrap().policies), ["reviewers-see-everything"]);
        assert_eq!(review(&sample, &alice(), scope).unwrap_err().reason, Reason::PolicyDenied);
        // Machines do not review, whatever group they are in.
        assert_eq!(review(&sample, &identity("machine:ci", &["reviewers"]), scope).unwrap_err().reason, Reason::PolicyDenied);
    }
    assert_eq!(review(&sample, &carol, "gone").unwrap_err().reason, Reason::UnknownTarget);
    let sample = with_policy(
        "@id(\"p\") permit(principal, action == Action::\"review\", resource in TargetGroup::\"all\");\n@id(\"f\") forbid(principal, action == \
         Action::\"review\", resource == Target::\"db2\");",
    );
    assert!(review(&sample, &carol, "db1").is_ok() && review(&sample, &carol, "web").is_ok());
    for scope in ["db2", "db", "all"] {
        assert_eq!(review(&sample, &carol, scope).unwrap_err().reason, Reason::PolicyForbidden);
    }
}

#[test]
fn requestable_is_what_a_request_would_be_granted() {
    let sample = Sample::new();
    let listed = |groups: &[&str]| -> Vec<(String, Vec<String>)> {
        let roles = requestable(sample.rules(), &identity("alice", groups), &context());
        roles.into_iter().map(|(role, targets)| (role.to_string(), names(targets))).collect()
    };
    let databases = vec!["db1".to_owned(), "db2".to_owned()];
    assert_eq!(listed(&["dba"]), [("db-admin".to_owned(), databases.clone()), ("db-tunnel".to_owned(), databases)]);
    assert_eq!(listed(&["dba", "developers"]).len(), 3);
    assert!(listed(&["reviewers"]).is_empty());
}

#[test]
fn policies_are_sliced_by_role_and_none_is_lost() {
    let sample = with_policy(
        "@id(\"eq\") permit(principal, action == Action::\"request\", resource == Role::\"web\");\n\
         @id(\"in\") forbid(principal, action == Action::\"request\", resource in Role::\"web\");\n\
         @id(\"is-in\") forbid(principal, action == Action::\"request\", resource is Role in Role::\"web\");\n\
         @id(\"is\") forbid(principal, action == Action::\"request\", resource is Role);\n\
         @id(\"any\") forbid(principal, action, resource);\n\
         @id(\"other\") permit(principal, action == Action::\"request\", resource == Role::\"db-admin\");\n\
         @id(\"target\") permit(principal, action == Action::\"review\", resource is Target in TargetGroup::\"db\");\n\
         @id(\"group\") permit(principal, action == Action::\"review\", resource in TargetGroup::\"db\");",
    );
    let ids = |slice: &slices::Slice| slice.statements.iter().map(|statement| statement.id().to_owned()).collect::<BTreeSet<_>>();
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let slices = &sample.policy.slices;
    assert_eq!(ids(slices.of_role(&"web".parse().unwrap())), set(&["eq", "in", "is-in", "is", "any"]));
    assert_eq!(ids(slices.of_role(&"db-admin".parse().unwrap())), set(&["other", "is", "any"]));
    assert_eq!(ids(slices.of_role(&"unnamed".parse().unwrap())), set(&["is", "any"]));
    assert_eq!(ids(slices.of_targets()), set(&["any", "target", "group"]));
}
