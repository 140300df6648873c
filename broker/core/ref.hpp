// ref<T>: an intrusive, atomically counted reference to an immutable value that crosses shards.
// T provides add_reference() and drop_reference() const.
#pragma once

#include <cstddef>
#include <utility>

namespace broker {

template <class T>
class ref {
public:
    ref() = default;
    ref(std::nullptr_t) {}
    explicit ref(T* adopted) : value_{adopted} {} // takes over the reference the caller holds
    ref(const ref& other) : value_{other.value_} {
        if (value_) value_->add_reference();
    }
    ref(ref&& other) noexcept : value_{std::exchange(other.value_, nullptr)} {}
    ref& operator=(ref other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~ref() {
        if (value_) value_->drop_reference();
    }

    [[nodiscard]] T* get() const { return value_; }
    [[nodiscard]] T& operator*() const { return *value_; }
    [[nodiscard]] T* operator->() const { return value_; }
    explicit operator bool() const { return value_ != nullptr; }
    friend bool operator==(const ref& a, const ref& b) { return a.value_ == b.value_; }

private:
    T* value_ = nullptr;
};

} // namespace broker
