# shellcheck shell=bash
# Sourced by scripts/stack: the CA, its roles, targets and policy.

# make_authority: keys, TLS certificate, store.
make_authority() {
    "$DAYFLY_BIN/dayfly-ca" init "$DAYFLY_CA_DIR" --url "$DAYFLY_CA_URL" >>"$TRACES/setup"
    DAYFLY_CA_PIN=$("$DAYFLY_BIN/dayfly-ca" pin --config "$DAYFLY_CA_CONFIG")
}

# describe_authority: what it is told, in place of the example that `init` wrote.
describe_authority() {
    cat >"$DAYFLY_CA_CONFIG" <<CONFIG
url = "$DAYFLY_CA_URL"
listen = "127.0.0.1:$CA_PORT"
store = "ca.db"
policy = "policy"

[tls]
certificate = "tls/cert.pem"
key = "tls/key.pem"

[keys]
user_ca = "keys/user_ca"
session_ca = "keys/session_ca"
host_ca = "keys/host_ca"
inner_host_ca = "keys/inner_host_ca"
log = "keys/log_key"

[[role]]
name = "db-admin"
description = "Databases, as $DAYFLY_ACCOUNT"
principals = ["$DAYFLY_ACCOUNT@{target}"]
targets = ["db1"]
extensions = ["permit-pty"]

[[role]]
name = "web"
description = "Web servers, as $DAYFLY_ACCOUNT"
principals = ["$DAYFLY_ACCOUNT@{target}"]
targets = ["web1"]
extensions = ["permit-pty"]

[[target]]
name = "db1"
address = "127.0.0.1"
port = $DB1_PORT
host_ca = "$(<"$DAYFLY_CA_DIR/keys/host_ca.pub")"
mode = "record"

[[target]]
name = "web1"
address = "127.0.0.1"
port = $WEB1_PORT
host_ca = "$(<"$DAYFLY_CA_DIR/keys/host_ca.pub")"
mode = "passthrough"
CONFIG
    if [[ -n $PROVIDER ]]; then describe_provider; fi
    cat >"$DAYFLY_POLICY_DIR/stack.cedar" <<'POLICY'
@id("dba-may-use-db-admin")
permit (
  principal in Group::"dba",
  action in [Action::"request", Action::"connect"],
  resource == Role::"db-admin"
);

@id("web-may-use-web")
permit (
  principal in Group::"web",
  action in [Action::"request", Action::"connect"],
  resource == Role::"web"
);

@id("reviewers-see-everything")
permit (
  principal in Group::"reviewers",
  action == Action::"review",
  resource in TargetGroup::"all"
);
POLICY
    "$DAYFLY_BIN/dayfly-ca" check --config "$DAYFLY_CA_CONFIG" >>"$TRACES/setup"
}

# describe_provider: the one that --provider names, ISSUER,CLIENT_ID[,SECRET]. What its claim `groups` says are groups here, so that `dba` has the role db-admin.
describe_provider() {
    local issuer client secret
    IFS=, read -r issuer client secret <<<"$PROVIDER"
    {
        printf '\n[[sign_in.provider]]\nname = "idp"\nissuer = "%s"\nclient_id = "%s"\n' "$issuer" "$client"
        if [[ -n $secret ]]; then
            printf '%s\n' "$secret" >"$DAYFLY_CA_DIR/keys/idp.secret"
            printf 'client_secret_file = "keys/idp.secret"\n'
        fi
        printf 'scopes = ["%s"]\ngroups_claim = "%s"\n' "$(sed 's/ \+/", "/g' <<<"${DAYFLY_PROVIDER_SCOPES:-openid profile email groups}")" \
            "${DAYFLY_PROVIDER_GROUPS_CLAIM:-groups}"
    } >>"$DAYFLY_CA_CONFIG"
}

start_authority() {
    start ca "$DAYFLY_BIN/dayfly-ca" serve --config "$DAYFLY_CA_CONFIG"
    await ca 30 is_listening "$CA_PORT"
}
