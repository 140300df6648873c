// Topic names and topic filters as MQTT defines them (MQTT 5 §4.7, §4.8). Levels are separated by '/', both protocols
// arrive here with the same spelling. A topic_filter that exists is valid; nobody checks it twice.
#pragma once

#include "core/counters.hpp"
#include "core/limits.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace broker {

inline constexpr std::string_view queue_prefix = "$queue/";
inline constexpr std::string_view share_prefix = "$share/";

// Temporary queues: "$temp/ID-CODE/NAME", an ordinary topic that only its owner receives (router::open_temporary).
inline constexpr std::string_view temporary_prefix = "$temp/";
[[nodiscard]] inline bool is_temporary(std::string_view topic_name) { return topic_name.starts_with(temporary_prefix); }

// '+' or '#' anywhere.
[[nodiscard]] inline bool has_wildcard(std::string_view text) { return text.contains('+') || text.contains('#'); }

// '+' alone in its level [MQTT-4.7.1-2], '#' alone in the last one [MQTT-4.7.1-1].
[[nodiscard]] bool wildcards_well_placed(std::string_view pattern);

// Non-empty, valid UTF-8, no U+0000, no wildcard characters, within the limits [MQTT-4.7.1-1, MQTT-4.7.3-1..3].
[[nodiscard]] bool is_topic_name(std::string_view name, const limits& bounds);

// The limit that a topic name or filter is over.
[[nodiscard]] std::optional<limit_kind> limit_over(std::string_view topic, const limits& bounds);

// Names that begin with '$' are the server's (§4.7.2), except queues and temporary queues.
[[nodiscard]] bool is_server_topic(std::string_view name);

// The queue's name when `name` is "$queue/NAME".
[[nodiscard]] std::optional<std::string_view> queue_name(std::string_view topic_name);

class topic_filter {
public:
    enum class kind : std::uint8_t { plain, shared, queue };

    // "a/+/#", "$share/GROUP/FILTER" or "$queue/NAME". Nothing if it is not valid [MQTT-4.7.1-2..3, MQTT-4.8.2-1..2].
    [[nodiscard]] static std::optional<topic_filter> parse(std::string_view text, const limits& bounds);

    [[nodiscard]] kind what() const { return kind_; }
    [[nodiscard]] bool is_shared() const { return kind_ == kind::shared; }
    [[nodiscard]] bool has_wildcard() const;
    [[nodiscard]] const std::string& text() const { return text_; }   // as subscribed with
    [[nodiscard]] std::string_view group() const { return std::string_view{text_}.substr(7, group_size_); } // shared only
    [[nodiscard]] std::string_view pattern() const { return std::string_view{text_}.substr(pattern_at_); } // what topics match
    [[nodiscard]] std::string_view queue() const { return pattern(); } // queue only: NAME

    friend bool operator==(const topic_filter&, const topic_filter&) = default;

private:
    topic_filter() = default;

    std::string text_;
    std::size_t pattern_at_ = 0;
    std::size_t group_size_ = 0;
    kind kind_ = kind::plain;
};

// Does `name` match `pattern`? The definition, slow and obvious; the trie is tested against it. A leading wildcard does
// not match names that begin with '$' [MQTT-4.7.2-1].
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

// Walks levels: for (level_walk w{"a//b"}; !w.done(); w.next()) use(w.level());  → "a", "", "b"
class level_walk {
public:
    explicit level_walk(std::string_view text) : rest_{text} { cut(); }
    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] std::string_view level() const { return level_; }
    void next() {
        if (last_) {
            done_ = true;
        } else {
            cut();
        }
    }

private:
    void cut() {
        const auto slash = rest_.find('/');
        last_ = slash == std::string_view::npos;
        level_ = rest_.substr(0, slash);
        if (!last_) rest_.remove_prefix(slash + 1);
    }

    std::string_view rest_;
    std::string_view level_;
    bool last_ = false;
    bool done_ = false;
};

} // namespace broker
