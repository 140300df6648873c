// fake_node: what the admin API asks, answered from plain members.
#pragma once

#include "admin/node.hpp"

#include <atomic>
#include <map>
#include <string>

namespace broker::test {

class fake_node final : public admin::node {
public:
    std::atomic<bool> is_ready{true};
    admin::status state{};
    std::vector<admin::connection_row> connection_rows;
    std::vector<message_ptr> published;
    std::vector<std::string> calls; // of queues and sessions

    result<admin::status, admin::admin_error> get_status() override { return state; }
    bool ready() const override { return is_ready; }
    result<std::vector<admin::connection_row>, admin::admin_error> connections() override { return connection_rows; }
    result<std::size_t, admin::admin_error> kick(const std::string& id) override {
        const auto before = connection_rows.size();
        std::erase_if(connection_rows, [&](const auto& c) { return c.client.client_id == id; });
        if (connection_rows.size() == before) return fail(not_found("no client " + id));
        return before - connection_rows.size();
    }
    result<admin::token_renewal, admin::admin_error> renew_token(const std::string& id, const std::string& token) override {
        if (id == "nobody") return fail(not_found("no client " + id));
        if (token == "bad") return fail(admin::admin_error{admin::admin_error::kind::forbidden, "not good"});
        calls.push_back("renew " + id + " " + token);
        return admin::token_renewal{.user = "anna", .expires = token == "key" ? never : from_epoch_ms(1000)};
    }
    std::vector<admin::ban_row> bans;
    result<std::vector<admin::ban_row>, admin::admin_error> list_bans() override { return bans; }
    result<std::size_t, admin::admin_error> add_ban(const admin::ban_row& who, seconds lasts) override {
        if (who.kind != "user") return fail(admin::admin_error{admin::admin_error::kind::invalid, "kind must be user"});
        bans.push_back(who);
        calls.push_back("ban " + who.whom + " " + std::to_string(lasts.count()));
        return 1;
    }
    result<bool, admin::admin_error> remove_ban(const std::string& kind, const std::string& whom) override {
        if (std::erase_if(bans, [&](const auto& b) { return b.kind == kind && b.whom == whom; }) == 0) return fail(not_found(whom + " is not banned"));
        return true;
    }
    result<std::vector<std::string>, admin::admin_error> reload_tls(const std::string& listener) override {
        if (listener == "bad") return std::vector<std::string>{"listener bad: tls.cert x.pem: no certificate in it"};
        calls.push_back("reload " + listener);
        return std::vector<std::string>{};
    }
    result<std::vector<admin::session_row>, admin::admin_error> list_sessions() override {
        return std::vector<admin::session_row>{{.id = "s", .durable = true, .queued = 3}};
    }
    result<admin::session_details, admin::admin_error> show_session(const std::string& id) override {
        if (id != "client/news") return fail(not_found("no session " + id));
        admin::session_details made;
        made.row.id = id;
        made.queued_bytes = 300;
        made.expiry = seconds{60};
        made.subscriptions.push_back({.filter = "news/#", .options = {.maximum_qos = qos::at_least_once}});
        return made;
    }
    result<admin::held_messages, admin::admin_error> session_messages(const std::string& id, message_id after, std::size_t n,
                                                                      bool in_flight_only) override {
        if (id != "client/news") return fail(not_found("no session " + id));
        calls.push_back("messages " + std::to_string(after.value()) + " " + std::to_string(n) + (in_flight_only ? " in flight" : ""));
        const auto now = from_epoch_ms(1'700'000'000'000);
        held_message waits{.id = message_id{7}, .topic = "news/1", .level = qos::at_least_once, .bytes = 300, .payload = "begins"};
        waits.received_at = now - seconds{90};
        waits.expires_at = now + seconds{30};
        held_message sent{.id = message_id{8}, .topic = "news/2", .bytes = 2, .payload = std::string("\0\xff", 2), .received_at = now};
        sent.at = held_message::state::sent;
        sent.handle = 5;
        return admin::held_messages{.now = now, .messages = {waits, sent}};
    }
    result<bool, admin::admin_error> drop_session_message(const std::string& id, message_id which, bool though_sent) override {
        if (!though_sent) return fail(admin::admin_error{admin::admin_error::kind::refused, "it is in flight"});
        calls.push_back("drop " + id + " " + std::to_string(which.value()));
        return true;
    }
    result<bool, admin::admin_error> expire_session(const std::string& id) override {
        if (id == "nobody") return fail(not_found("no session " + id));
        calls.push_back("expire " + id);
        return true;
    }
    result<std::vector<admin::queue_row>, admin::admin_error> list_queues() override {
        return std::vector<admin::queue_row>{{.name = "jobs", .messages = 2}};
    }
    std::map<std::string, queue_settings> declared;
    result<bool, admin::admin_error> declare_queue(const std::string& name, const queue_settings& with) override {
        if (name == "file") return fail(admin::admin_error{admin::admin_error::kind::refused, "declared in the file"});
        declared[name] = with;
        return true;
    }
    result<std::vector<admin::queue_message>, admin::admin_error> peek_queue(const std::string& name, std::size_t n) override {
        if (name != "jobs" && name != "a/b") return fail(not_found("no queue " + name));
        calls.push_back("peek " + name + " " + std::to_string(n));
        return std::vector<admin::queue_message>{
            {.message = make_message({.id = message_id{7}, .topic = "$queue/jobs", .payload = as_bytes("hi")}), .redelivery_count = 2}};
    }
    result<admin::queue_removed, admin::admin_error> remove_from_queue(const std::string& name, std::size_t n,
                                                                       const std::string& to) override {
        if (name != "jobs" && name != "a/b") return fail(not_found("no queue " + name));
        calls.push_back("remove " + name + " " + std::to_string(n) + " " + to);
        return admin::queue_removed{.messages = 3, .more = true};
    }
    result<bool, admin::admin_error> delete_queue(const std::string& name, bool force) override {
        if (!force) return fail(admin::admin_error{admin::admin_error::kind::refused, "it has consumers"});
        calls.push_back("delete " + name);
        return true;
    }
    std::vector<admin::token_revocation> revoked;
    result<bool, admin::admin_error> revoke_tokens(const admin::token_revocation& what) override {
        revoked.push_back(what);
        return true;
    }
    result<std::vector<security::revocations::entry>, admin::admin_error> list_revoked(const std::optional<security::revocations::entry>& after,
                                                                                      std::size_t count_max) override {
        using enum security::revocations::kind;
        calls.push_back("revoked " + (after ? std::to_string(static_cast<int>(after->what)) + after->name : "") + " " + std::to_string(count_max));
        return std::vector<security::revocations::entry>{{.what = everybody, .at = from_epoch_ms(1000)},
                                                         {.what = user, .name = "anna", .at = from_epoch_ms(2000)},
                                                         {.what = token, .name = "a:1", .at = from_epoch_ms(3000)},
                                                         {.what = token, .name = "b", .at = never}};
    }
    result<security::ruling, admin::admin_error> test_rights(const security::identity& who, security::action what, const std::string& topic) override {
        if (topic.empty()) return fail(admin::admin_error{admin::admin_error::kind::invalid, "'' is no topic name"});
        asked_about = who;
        calls.push_back("may " + std::string{name(what)} + " " + topic);
        return security::ruling{.what = security::coverage::part, .rule = "deny subscribe a", .origin = "role r"};
    }
    security::identity asked_about;
    std::vector<admin::api_key_request> keys;
    result<admin::new_api_key, admin::admin_error> create_api_key(const admin::api_key_request& wanted) override {
        keys.push_back(wanted);
        return admin::new_api_key{.text = "bk_" + wanted.name, .row = {.name = wanted.name, .scopes = wanted.scopes}};
    }
    result<std::vector<admin::api_key_row>, admin::admin_error> list_api_keys() override {
        return std::vector<admin::api_key_row>{{.name = "sensor", .scopes = {"publish:a"}, .created = from_epoch_ms(0), .expires = from_epoch_ms(1000), .expired = true}};
    }
    result<bool, admin::admin_error> delete_api_key(const std::string& name) override {
        if (name != "sensor") return fail(not_found("no key " + name));
        calls.push_back("delete key " + name);
        return true;
    }
    result<bool, admin::admin_error> add_user(const std::string& name, const std::string& password) override {
        calls.push_back("add " + name + " " + password);
        return true;
    }
    result<std::size_t, admin::admin_error> import_users(const std::vector<admin::user_to_import>& all) override {
        for (const auto& u : all) calls.push_back("import " + u.name + " " + u.hash + (u.disabled ? " disabled" : ""));
        return all.size();
    }
    result<bool, admin::admin_error> change_user(const std::string& name, const std::optional<std::string>& password,
                                                 std::optional<bool> disabled) override {
        if (name != "anna") return fail(not_found("no user " + name));
        calls.push_back("change " + name + " " + password.value_or("-") + (disabled ? *disabled ? " disabled" : " enabled" : ""));
        return true;
    }
    result<bool, admin::admin_error> delete_user(const std::string& name) override {
        if (name != "anna") return fail(not_found("no user " + name));
        calls.push_back("delete user " + name);
        return true;
    }
    result<std::vector<admin::user_row>, admin::admin_error> list_users() override {
        return std::vector<admin::user_row>{{.name = "anna", .hash_kind = "argon2id", .set_at = from_epoch_ms(1000)},
                                            {.name = "bob", .from_file = true, .disabled = true, .hash_kind = "mosquitto"}};
    }
    result<admin::store_status, admin::admin_error> show_store() override {
        return admin::store_status{.data_dir = "/d", .durability = "sync", .format = "3", .columns = {{.column = "sessions", .rows = 7, .bytes = 70}}};
    }
    std::vector<std::string> damage;
    result<admin::store_check, admin::admin_error> verify_store() override {
        return admin::store_check{.wrong = damage, .files = 3, .rows = {{.column = "sessions", .rows = 7}}};
    }
    result<admin::store_backup, admin::admin_error> back_up_store(const std::string& to) override {
        if (to == "/there") return fail(admin::admin_error{admin::admin_error::kind::refused, "it exists already"});
        return admin::store_backup{.files = 3, .bytes = 300};
    }
    result<std::vector<message_ptr>, admin::admin_error> retained(const std::string&, std::size_t) override { return published; }
    result<std::size_t, admin::admin_error> delete_retained(const std::string&) override { return published.size(); }
    result<bool, admin::admin_error> publish(const message_fields& fields) override {
        if (fields.topic.empty()) return fail(admin::admin_error{admin::admin_error::kind::invalid, "no topic"});
        published.push_back(make_message(fields));
        return true;
    }
    result<std::unique_ptr<admin::subscription_stream>, admin::admin_error> subscribe(const std::vector<std::string>&,
                                                                                     qos) override {
        return fail(admin::admin_error{admin::admin_error::kind::refused, "not here"});
    }

private:
    static admin::admin_error not_found(std::string what) { return {admin::admin_error::kind::not_found, std::move(what)}; }
};

} // namespace broker::test
