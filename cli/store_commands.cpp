// brokerctl store: the running broker's over its admin socket; a directory nobody has open by itself.
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "storage/maintenance.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace broker::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours as_long_as_it_takes{24};
const storage::keep_going always = [] { return true; };

struct arguments {
    std::string dir{};
    std::string data_dir{};
    bool only_look = false;
};

client patient(const settings& s) { return s.broker(as_long_as_it_takes); }

boost::json::object rows_of(const storage::row_counts& rows) {
    boost::json::object o;
    for (std::size_t i = 0; i != rows.size(); ++i) o[storage::name(static_cast<storage::column>(i))] = rows[i];
    return o;
}

boost::json::array lines_of(const std::vector<std::string>& lines) { return boost::json::array(lines.begin(), lines.end()); }

int failed(const storage::storage_error& e) {
    fmt::print(stderr, "brokerctl: {}\n", e.what);
    return e.why == storage::storage_error::kind::damaged ? check_failed : refused;
}

// "12 sessions, 3 retained".
std::string summary(const boost::json::object& rows) {
    std::string text;
    for (const auto& [column, count] : rows) {
        if (column == "meta" || count.to_number<std::uint64_t>() == 0) continue;
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.to_number<std::uint64_t>(), std::string_view{column});
    }
    return text.empty() ? "no rows" : text;
}

void print_lines(std::string_view before, const boost::json::array& lines) {
    for (const auto& l : lines) fmt::print("{}{}\n", before, printable(text_of(l)));
}

int status_of(const settings& s) {
    const auto a = s.broker().call("GET", "/api/v1/store");
    if (a.status >= 400 || s.output == "json") return show(s, a, {});
    auto o = boost::json::parse(a.body).as_object();
    const auto columns = o.at("columns").as_array();
    o.erase("columns");
    fmt::print("{}\n{}", list_of(o), table_of(columns, {"column", "rows", "bytes"}, !s.no_headers));
    return 0;
}

int show_check(const settings& s, const boost::json::object& o) {
    const bool intact = o.at("intact").as_bool();
    if (s.output == "json") {
        fmt::print("{}\n", boost::json::serialize(o));
    } else {
        print_lines("damaged: ", o.at("wrong").as_array());
        print_lines("note: ", o.at("notes").as_array());
        if (intact) fmt::print("intact: {} files, {} bytes: {}\n", text_of(o.at("files")), text_of(o.at("bytes")), summary(o.at("rows").as_object()));
    }
    return intact ? 0 : check_failed;
}

int verify(const settings& s, const arguments& a) {
    if (a.dir.empty()) {
        const auto answered = patient(s).call("POST", "/api/v1/store/verify");
        return answered.status >= 400 ? failed(answered) : show_check(s, boost::json::parse(answered.body).as_object());
    }
    const auto found = storage::verify_store(a.dir, always);
    if (!found) return failed(found.error());
    return show_check(s, {{"intact", found->wrong.empty()},
                          {"files", found->files},
                          {"bytes", found->bytes},
                          {"wrong", lines_of(found->wrong)},
                          {"notes", lines_of(found->notes)},
                          {"rows", rows_of(found->rows)}});
}

// The broker makes it: a relative path is this shell's, not the broker's.
int back_up(const settings& s, const arguments& a) {
    const boost::json::object body{{"to", fs::absolute(a.dir).lexically_normal().string()}};
    return show(s, patient(s).call("POST", "/api/v1/store/backup", boost::json::serialize(body)), {});
}

int restore(const settings& s, const arguments& a) {
    const auto found = storage::restore_store(a.dir, a.data_dir, always);
    if (!found) return failed(found.error());
    const boost::json::object o{{"restored", a.data_dir}, {"files", found->files}, {"bytes", found->bytes}, {"rows", rows_of(found->rows)}};
    if (s.output == "json") fmt::print("{}\n", boost::json::serialize(o));
    else fmt::print("restored {} from {}: {}\n", a.data_dir, a.dir, summary(o.at("rows").as_object()));
    return 0;
}

int repair(const settings& s, const arguments& a) {
    const auto report = storage::repair_store(a.dir, a.only_look, always);
    if (!report) return failed(report.error());
    const auto kept = rows_of(report->kept);
    const int status = report->lost.empty() ? 0 : check_failed;
    if (s.output == "json") {
        fmt::print("{}\n", boost::json::serialize(boost::json::object{{"was_intact", report->was_intact},
                                                                      {"wrong", lines_of(report->wrong)},
                                                                      {"lost", lines_of(report->lost)},
                                                                      {"notes", lines_of(report->notes)},
                                                                      {"kept", kept},
                                                                      {"set_aside", report->set_aside.string()}}));
        return status;
    }
    if (report->was_intact) {
        fmt::print("intact, nothing was done: {}\n", summary(kept));
        return 0;
    }
    print_lines("damaged: ", lines_of(report->wrong));
    print_lines("note: ", lines_of(report->notes));
    print_lines("lost: ", lines_of(report->lost));
    fmt::print("kept: {}\n", summary(kept));
    if (report->lost.empty()) fmt::print("nothing is lost\n");
    if (a.only_look) fmt::print("nothing was done; without --dry-run {} is replaced by what is kept\n", a.dir);
    else fmt::print("{} holds what is kept; what was there is now {}\n", a.dir, report->set_aside.string());
    return status;
}

} // namespace

void add_store_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const store = app.add_subcommand("store", "What is on disk.")->require_subcommand(1);
    store->add_subcommand("status", "Size, files, rows, room, trouble.")->callback([args, &s, &status] { status = status_of(s); });

    auto* const verified = store->add_subcommand("verify", "Checks every checksum and record: of the running broker, or of a directory nobody has open. "
                                                           "Exit status 2: it is damaged.");
    verified->add_option("DIR", a.dir, "A stopped broker's data directory, or a backup.");
    verified->callback([args, &s, &status] { status = verify(s, *args); });

    auto* const backup = store->add_subcommand("backup", "Copies the running broker's store, as of now, to a new directory.");
    backup->add_option("DIR", a.dir, "Made by the broker; it must not exist.")->required();
    backup->callback([args, &s, &status] { status = back_up(s, *args); });

    auto* const restored = store->add_subcommand("restore", "Verifies a backup and copies it to an empty or new data directory.");
    restored->add_option("DIR", a.dir, "The backup.")->required();
    restored->add_option("--data-dir", a.data_dir, "The data directory: nobody's, empty or not there.")->required();
    restored->callback([args, &s, &status] { status = restore(s, *args); });

    auto* const repaired = store->add_subcommand("repair", "Makes a new store of what is intact, says what is not, and keeps the damaged one beside it. "
                                                           "Exit status 2: something is lost.");
    repaired->add_option("DIR", a.dir, "The data directory of a broker that is stopped.")->required();
    repaired->add_flag("--dry-run", a.only_look, "Says what it would do.");
    repaired->callback([args, &s, &status] { status = repair(s, *args); });
}

} // namespace broker::cli
