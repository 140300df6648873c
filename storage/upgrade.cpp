#include "storage/upgrade.hpp"

#include "storage/keys.hpp"

namespace broker::storage {

namespace {

constexpr std::size_t rows_per_step = 1000;
constexpr std::uint8_t default_priority = 4;

result<void, storage_error> write(backend& rows, const batch& step) {
    const auto* const group = &step;
    return rows.write({&group, 1}, true);
}

// Format 1 kept a queue's entries among those of sessions, without their priority.
result<void, storage_error> move_entries(backend& rows, session_id queue) {
    std::string from; // not what has been erased: it would be stepped over again and again
    for (bool more = true; more;) {
        batch step;
        auto done = rows.scan(column::entries, session_prefix(queue), from, [&](std::string_view key, std::string_view value) {
            from = key;
            if (const auto parts = decode_entry_key(key)) {
                step.put(column::queue_entries, queue_entry_key(queue, default_priority, parts->message), value);
            }
            step.erase(column::entries, key);
            return step.operations() < 2 * rows_per_step;
        });
        if (!done) return done;
        more = !step.empty();
        if (more) done = write(rows, step);
        if (!done) return done;
    }
    return {};
}

} // namespace

result<void, storage_error> upgrade(backend& rows) {
    const auto format = rows.get(column::meta, format_key());
    if (!format) return fail(format.error());
    if (!*format || **format == format_version) return {};
    std::vector<session_id> queues; // of format 1
    auto done = **format != "1" ? result<void, storage_error>{} : rows.scan(column::queues, "", "", [&](std::string_view key, std::string_view) {
        if (const auto id = decode_session_key(key)) queues.push_back(*id);
        return true;
    });
    for (const auto id : queues) {
        if (done) done = move_entries(rows, id);
    }
    if (!done) return done;
    batch last;
    last.put(column::meta, format_key(), format_version);
    return write(rows, last);
}

} // namespace broker::storage
