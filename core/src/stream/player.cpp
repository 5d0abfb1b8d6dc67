// SPDX-License-Identifier: MIT
#include "serpent/player.h"

#include "model/as_error.h"
#include "serpent/errors.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace serpent {

namespace {

constexpr double fade_s = 0.015;
constexpr int warm_up_blocks = 4;          // enough to touch every page and table that process() needs
constexpr std::size_t max_controls = 32;   // the model format's limit

/// What a load() asked for.
struct Loaded {
    std::shared_ptr<const Model> model;  // null: the unchanged input
    std::vector<float> controls;         // empty: the defaults
    std::uint64_t at = 0;                // the clock of set_control() when the load began
};

/// What plays: a stream, or the unchanged input.
struct Deck {
    std::optional<Stream> stream;
    std::uint64_t loaded_at = 0;
    std::atomic<bool> finished{false};  // set by the audio thread as the last thing it does to a deck
};

struct ControlValue {
    float value = 0.0f;
    std::uint64_t set_at = 0;
};

} // namespace

struct Player::Impl {
    // --- the control side, under the mutex -------------------------------------------------------------------------
    std::mutex mutex;
    StreamOptions options;
    double sample_rate_hz = 0.0;
    int max_block = 0, channels = 0;  // 0: not prepared; the audio thread reads them too
    Loaded loaded;
    std::vector<std::unique_ptr<Deck>> decks;  // all that live: playing, waiting, or finished and not yet freed

    // --- handed over: load() puts a deck in, the audio thread takes it out -------------------------------------------
    std::atomic<Deck*> waiting{nullptr};
    std::atomic<std::uint64_t> clock{0};
    std::atomic<int> latency_samples{0};

    // --- the audio thread's ------------------------------------------------------------------------------------------
    Deck *playing = nullptr, *coming = nullptr;  // coming: fading in
    int fade_done = 0, fade_samples = 0;
    bool heard = false;  // a sample was played since the initial state: only then is there something to fade from
    std::array<ControlValue, max_controls> set_values;
    std::vector<std::vector<float>> faded_in;  // what `coming` answers, [channel][max_block]
    std::vector<const float*> in_part;
    std::vector<float*> out_part, faded_pointers;

    void prepare(double rate_hz, int block, int bus_channels);
    void load(std::shared_ptr<const Model> model, std::span<const float> controls, std::uint64_t loaded_at);
    std::unique_ptr<Deck> make_deck(const Loaded& what, double rate_hz, int block, int bus_channels) const;
    void collect();

    void apply_set_values(Deck& deck) noexcept;
    void process(const float* const* in, float* const* out, int n) noexcept;
    void pick_up() noexcept;
    void play_part(int n) noexcept;
    void finish_fade() noexcept;
    void announce(const Deck& deck) noexcept;
    void reset() noexcept;
};

namespace {

int instances_for(const Model& model, int channels) {
    const int together = model.config.channels;
    if (channels % together != 0)
        throw Error("The model takes " + std::to_string(together) + " channels together, which do not divide the " +
                    std::to_string(channels) + " that play; choose another model or another channel layout.");
    return channels / together;
}

void warm_up(Stream& stream, int max_block) {
    const auto channels = static_cast<std::size_t>(stream.channels());
    std::vector<float> block(static_cast<std::size_t>(max_block));
    const std::vector<float*> pointers(channels, block.data());
    for (int i = 0; i < warm_up_blocks; ++i) {
        std::fill(block.begin(), block.end(), 0.0f);
        stream.process(pointers.data(), pointers.data(), max_block);
    }
    stream.reset();
}

} // namespace

std::unique_ptr<Deck> Player::Impl::make_deck(const Loaded& what, double rate_hz, int block, int bus_channels) const {
    auto deck = std::make_unique<Deck>();
    deck->loaded_at = what.at;
    if (!what.model) return deck;
    StreamOptions stream_options = options;
    stream_options.instances = instances_for(*what.model, bus_channels);
    deck->stream.emplace(what.model, stream_options);
    for (std::size_t i = 0; i < what.controls.size(); ++i) deck->stream->set_control(static_cast<int>(i), what.controls[i]);
    deck->stream->prepare(rate_hz, block);
    warm_up(*deck->stream, block);
    return deck;
}

void Player::Impl::prepare(double rate_hz, int block, int bus_channels) {
    auto deck = make_deck(loaded, rate_hz, block, bus_channels);
    apply_set_values(*deck);
    const auto bus = static_cast<std::size_t>(bus_channels);
    faded_in.assign(bus, std::vector<float>(static_cast<std::size_t>(block)));
    faded_pointers.clear();
    for (std::vector<float>& channel : faded_in) faded_pointers.push_back(channel.data());
    in_part.assign(bus, nullptr);
    out_part.assign(bus, nullptr);
    sample_rate_hz = rate_hz, max_block = block, channels = bus_channels;
    fade_samples = std::max(1, static_cast<int>(std::lround(fade_s * rate_hz)));

    waiting.store(nullptr, std::memory_order_relaxed);
    playing = deck.get();
    coming = nullptr;
    decks.clear();
    decks.push_back(std::move(deck));
    announce(*playing);
    reset();
}

void Player::Impl::load(std::shared_ptr<const Model> model, std::span<const float> controls, std::uint64_t loaded_at) {
    Loaded what{std::move(model), {controls.begin(), controls.end()}, loaded_at};
    if (what.model) what.model->validate();
    if (channels > 0) {
        decks.push_back(make_deck(what, sample_rate_hz, max_block, channels));
        Deck* unused = waiting.exchange(decks.back().get(), std::memory_order_acq_rel);
        if (unused) unused->finished.store(true, std::memory_order_relaxed);
    }
    loaded = std::move(what);
    collect();
}

void Player::Impl::collect() {
    std::erase_if(decks, [](const std::unique_ptr<Deck>& deck) { return deck->finished.load(std::memory_order_acquire); });
}

void Player::Impl::announce(const Deck& deck) noexcept {
    latency_samples.store(deck.stream ? deck.stream->latency_samples() : 0, std::memory_order_relaxed);
}

void Player::Impl::apply_set_values(Deck& deck) noexcept {
    if (!deck.stream) return;
    for (std::size_t i = 0; i < set_values.size(); ++i)
        if (set_values[i].set_at > deck.loaded_at) deck.stream->set_control(static_cast<int>(i), set_values[i].value);
}

void Player::Impl::pick_up() noexcept {
    if (coming) return;  // one fade at a time; the latest model waits
    coming = waiting.exchange(nullptr, std::memory_order_acq_rel);
    if (!coming) return;
    fade_done = 0;
    apply_set_values(*coming);
    announce(*coming);
    if (!heard) finish_fade();
}

void Player::Impl::finish_fade() noexcept {
    if (!coming) return;
    playing->finished.store(true, std::memory_order_release);
    playing = std::exchange(coming, nullptr);
}

void Player::Impl::reset() noexcept {
    finish_fade();
    heard = false;
    pick_up();
    if (playing && playing->stream) playing->stream->reset();
}

namespace {

void play(Deck& deck, const float* const* in, float* const* out, int n, std::size_t channels) noexcept {
    if (deck.stream) return deck.stream->process(in, out, n);
    for (std::size_t c = 0; c < channels; ++c)
        if (in[c] != out[c]) std::copy_n(in[c], n, out[c]);
}

} // namespace

/// n <= max_block samples from in_part to out_part.
void Player::Impl::play_part(int n) noexcept {
    const std::size_t bus = faded_in.size();
    if (coming) play(*coming, in_part.data(), faded_pointers.data(), n, bus);  // first: out may overwrite in
    play(*playing, in_part.data(), out_part.data(), n, bus);
    if (!coming) return;
    // Two captures answer the same input, so their sum is coherent: linear, since equal power would swell.
    for (std::size_t c = 0; c < bus; ++c)
        for (int t = 0; t < n; ++t) {
            const float in_share = std::min(1.0f, static_cast<float>(fade_done + t + 1) / static_cast<float>(fade_samples));
            float& sample = out_part[c][t];
            sample = in_share * faded_in[c][static_cast<std::size_t>(t)] + (1.0f - in_share) * sample;
        }
    fade_done += n;
    if (fade_done >= fade_samples) finish_fade();
}

void Player::Impl::process(const float* const* in, float* const* out, int n) noexcept {
    if (!playing) return;  // not prepared
    for (int first = 0; first < n; first += max_block) {
        pick_up();
        for (std::size_t c = 0; c < faded_in.size(); ++c) {
            in_part[c] = in[c] + first;
            out_part[c] = out[c] + first;
        }
        play_part(std::min(max_block, n - first));
        heard = true;
    }
}

Player::Player(StreamOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->options = options;
}

Player::~Player() = default;

void Player::prepare(double sample_rate_hz, int max_block, int channels) try {
    if (!(sample_rate_hz >= 1e3 && sample_rate_hz <= 1e6) || max_block < 1 || channels < 1)
        throw Error("Player::prepare() needs a sample rate from 1 kHz to 1 MHz, max_block and channels of at least 1; it "
                    "was given " + std::to_string(sample_rate_hz) + " Hz, " + std::to_string(max_block) + " and " +
                    std::to_string(channels) + ".");
    const std::lock_guard lock(impl_->mutex);
    impl_->prepare(sample_rate_hz, max_block, channels);
} catch (...) {
    rethrow_as_error("play this model at that rate, in so many channels and in blocks of that length");
}

void Player::load(std::shared_ptr<const Model> model, std::span<const float> controls) try {
    const std::uint64_t loaded_at = impl_->clock.load(std::memory_order_acquire);
    if (model && !controls.empty() && controls.size() != model->config.controls.size())
        throw Error("Player::load() was given " + std::to_string(controls.size()) + " control values, but the model has " +
                    std::to_string(model->config.controls.size()) + " controls.");
    const std::lock_guard lock(impl_->mutex);
    impl_->load(std::move(model), controls, loaded_at);
} catch (...) {
    rethrow_as_error("play this model");
}

void Player::set_rate_options(RateMode rate_mode, int oversampling) {
    const std::lock_guard lock(impl_->mutex);
    const StreamOptions before = impl_->options;
    impl_->options.rate_mode = rate_mode, impl_->options.oversampling = oversampling;
    try {
        impl_->load(impl_->loaded.model, impl_->loaded.controls, impl_->loaded.at);
    } catch (...) {
        impl_->options = before;
        rethrow_as_error("play the model that way");
    }
}

void Player::collect() {
    const std::lock_guard lock(impl_->mutex);
    impl_->collect();
}

void Player::process(const float* const* in, float* const* out, int n) noexcept {
    impl_->process(in, out, n);
}

void Player::set_control(int index, float value) noexcept {
    if (index < 0 || static_cast<std::size_t>(index) >= max_controls) return;
    Impl& p = *impl_;
    p.set_values[static_cast<std::size_t>(index)] = {value, p.clock.fetch_add(1, std::memory_order_acq_rel) + 1};
    for (Deck* deck : {p.playing, p.coming})
        if (deck && deck->stream) deck->stream->set_control(index, value);
}

void Player::reset() noexcept {
    impl_->reset();
}

int Player::latency_samples() const noexcept {
    return impl_->latency_samples.load(std::memory_order_relaxed);
}

} // namespace serpent
