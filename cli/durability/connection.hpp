// connection: one blocking TCP connection to a broker that may die at any instant, and the few packets of MQTT 5 and STOMP 1.2
// the check speaks. It shares no code with the broker, so that no mistake is made on both sides.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::cli::durability {

class connection {
public:
    explicit connection(std::uint16_t port); // alive() tells whether it worked
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    [[nodiscard]] bool alive() const { return fd_ >= 0; }
    void send(std::string_view bytes);
    // Waits for more, at most so long. What has come is in buffer().
    void read(std::chrono::milliseconds at_most);
    [[nodiscard]] std::string& buffer() { return buffer_; }

private:
    void drop();
    int fd_ = -1;
    std::string buffer_;
};

namespace mqtt {

enum class type : std::uint8_t { connack = 2, publish = 3, puback = 4, pubrec = 5, pubrel = 6, pubcomp = 7, suback = 9 };

struct packet {
    type what{};
    std::uint8_t flags = 0; // of the first byte
    std::uint16_t id = 0;
    std::uint8_t reason = 0;
    bool session_present = false;
    std::string topic{};
    std::string payload{};
};

struct will {
    std::string topic{};
    std::string payload{};
};

[[nodiscard]] std::string connect(std::string_view client_id, bool clean_start, bool keeps_session, const std::optional<will>& last = {});
[[nodiscard]] std::string publish(std::string_view topic, std::string_view payload, std::uint8_t qos, std::uint16_t id, bool retain, bool dup);
[[nodiscard]] std::string answer(type what, std::uint16_t id); // PUBACK, PUBREC, PUBREL, PUBCOMP
[[nodiscard]] std::string subscribe(std::string_view filter, std::uint8_t qos, std::uint16_t id);

// Takes whole packets off the front of the buffer.
[[nodiscard]] std::optional<packet> take(std::string& buffer);

} // namespace mqtt

namespace stomp {

struct frame {
    std::string command{};
    std::string headers{};
    std::string body{};
    [[nodiscard]] std::string get(std::string_view name) const; // empty: not there
};

[[nodiscard]] std::optional<frame> take(std::string& buffer);

} // namespace stomp

} // namespace broker::cli::durability
