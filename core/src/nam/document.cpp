// SPDX-License-Identifier: MIT
#include "nam/document.h"

#include "model/safetensors.h"
#include "serpent/errors.h"

#include <cmath>
#include <cstdint>
#include <string>

namespace serpent::nam {

namespace {

using nlohmann::json;

constexpr std::size_t max_depth = 40;       // a container of a WaveNet with a condition has 16
constexpr std::size_t max_values = 200'000; // beside the weights

/// Takes the parser's events: no recursion, so that depth costs nothing.
class Reader : public nlohmann::json_sax<json> {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    Document document;

    bool null() override { return value(nullptr); }
    bool boolean(bool v) override { return value(v); }
    bool number_integer(number_integer_t v) override { return in_weights_ ? weight(static_cast<double>(v)) : value(v); }
    bool number_unsigned(number_unsigned_t v) override { return in_weights_ ? weight(static_cast<double>(v)) : value(v); }
    bool number_float(number_float_t v, const string_t&) override { return in_weights_ ? weight(v) : value(v); }
    bool string(string_t& v) override { return value(std::move(v)); }
    bool binary(binary_t&) override { return false; }

    bool start_object(std::size_t) override { return open(json::object()); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override {
        if (in_weights_) throw Error("\"weights\" holds a list where a number should be, after " + std::to_string(count()));
        if (!open_.empty() && open_.back()->is_object() && key_ == "weights") {
            in_weights_ = true;
            document.weights.emplace_back();
            return true;
        }
        return open(json::array());
    }
    bool end_array() override {
        if (!in_weights_) return close();
        in_weights_ = false;
        return value(json::binary({}, document.weights.size() - 1));
    }
    bool key(string_t& v) override {
        if (open_.back()->contains(v)) throw Error("the key " + printable(v) + " is there twice");
        key_ = std::move(v);
        return true;
    }
    bool parse_error(std::size_t byte, const std::string&, const json::exception& error) override {
        const std::string at = " (at byte " + std::to_string(byte) + ")";
        if (error.id == 406) throw Error("it holds a number that is too large for any weight" + at);
        const char there = byte >= 1 && byte <= text_.size() ? text_[byte - 1] : ' ';
        if (there == 'N' || there == 'I') throw Error("it holds NaN or Infinity" + at + "; the training it came from had diverged");
        throw Error("it is not valid JSON" + at + "; download or export it again");
    }

private:
    std::size_t count() const { return document.weights.back().size(); }

    bool weight(double v) {
        const float narrow = static_cast<float>(v);
        if (!std::isfinite(narrow)) throw Error("weight " + std::to_string(count()) + " is too large for a float");
        document.weights.back().push_back(narrow);
        return true;
    }

    json* put(json&& v) {
        if (++values_ > max_values) throw Error("it holds more than " + std::to_string(max_values) + " values beside its weights");
        if (open_.empty()) return &(document.json = std::move(v));
        json& owner = *open_.back();
        if (owner.is_object()) return &(owner[key_] = std::move(v));
        owner.push_back(std::move(v));
        return &owner.back();
    }
    bool value(json v) {
        if (in_weights_) throw Error("\"weights\" holds something that is no number, after " + std::to_string(count()));
        put(std::move(v));
        return true;
    }
    bool open(json v) {
        if (in_weights_) return value(nullptr);
        if (open_.size() >= max_depth) throw Error("it is nested deeper than " + std::to_string(max_depth) + " levels");
        open_.push_back(put(std::move(v)));
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    std::string_view text_;
    std::vector<json*> open_;  // a list grows only while none of its members is open
    std::string key_;
    bool in_weights_ = false;
    std::size_t values_ = 0;
};

} // namespace

Document parse_document(std::string_view text) {
    Reader reader(text);
    json::sax_parse(text, &reader);
    return std::move(reader.document);
}

} // namespace serpent::nam
