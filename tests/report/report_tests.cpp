// SPDX-License-Identifier: GPL-3.0-or-later
#include "serpent/errors.h"
#include "serpent/report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <numbers>
#include <random>
#include <regex>
#include <unistd.h>

using namespace serpent;
namespace fs = std::filesystem;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

struct Folder {
    fs::path path = fs::temp_directory_path() / ("serpent_report_" + std::to_string(::getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
};

std::string page_of(const ReportData& data) {
    const Folder folder;
    const fs::path path = folder.path / "report.html";
    write_report(path, data);
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json data_of(const std::string& page) {
    static const std::string opening = "<script type=\"application/json\" id=\"data\">";
    const std::size_t first = page.find(opening) + opening.size();
    return nlohmann::json::parse(page.substr(first, page.find("</script>", first) - first));
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

/// Plucked notes with some noise, and a device that distorts them.
ReportPart plucked_part(const std::string& name, double seconds, int sample_rate) {
    ReportPart part;
    part.name = name;
    std::mt19937 random(7);
    std::normal_distribution<float> noise(0.0f, 0.002f);
    const auto samples = static_cast<std::size_t>(seconds * sample_rate);
    for (std::size_t i = 0; i < samples; ++i) {
        const double t = static_cast<double>(i) / sample_rate, since_attack = std::fmod(t, 0.5);
        const double hz = 110.0 * (1.0 + std::floor(t / 0.5) / 8.0);
        double x = 0;
        for (int partial = 1; partial <= 6; ++partial)
            x += 0.1 * std::exp(-4.0 * since_attack * partial) * std::sin(2.0 * std::numbers::pi * hz * partial * t);
        part.dry.push_back(static_cast<float>(x) + noise(random));
        part.target.push_back(std::tanh(5.0f * part.dry.back()));
        part.prediction.push_back(0.99f * part.target.back());
    }
    part.metrics = evaluate(part.dry, part.target, part.prediction, sample_rate);
    return part;
}

} // namespace

TEST_CASE("an empty report is a whole page") {
    const std::string page = page_of({});
    CHECK(contains(page, "Capture report"));
    CHECK(contains(page, "Nothing was scored"));
    CHECK(contains(page, "</html>"));
    CHECK_FALSE(contains(page, "{{"));
    CHECK(data_of(page)["parts"].empty());
}

TEST_CASE("everything that was given is on the page") {
    ReportData data;
    data.title = "Scream";
    data.subtitle = "An overdrive";
    data.command = "serpent train dry.wav wet.wav -o scream.safetensors";
    data.facts = {{"Parameters", "1,630"}};
    data.notes = {{ReportNote::Severity::warning, "The wet recording clips."}};
    data.curve = {{500, 1.5, 0.02, 0.0123, 4e-3}};
    data.parts = {plucked_part("validation", 3.0, 48000), plucked_part("test", 2.0, 48000)};
    data.parts[1].metrics = {.esr = 0.00012, .esr_pre = 0.00345, .mrstft = 0.678, .envelope_rms_db = 0.123,
                             .envelope_max_db = 4.56, .static_gain_esr = 0.789, .static_gain = 3.21};
    data.parts[1].self_esr = 0.000045;
    const std::string page = page_of(data);
    for (const char* text : {"Scream", "An overdrive", "serpent train dry.wav", "Parameters", "1,630",
                             "The wet recording clips.", "validation", "test", "0.000120", "0.00345", "0.678",
                             "0.123 dB", "4.56 dB", "0.789", "3.21",
                             "0.0000450", "hard to tell from the device by ear"}) {
        INFO(text);
        CHECK(contains(page, text));
    }
    const auto json = data_of(page);
    CHECK(json["curve"][0]["valid"] == 0.0123);
    REQUIRE(json["parts"].size() == 2);
    CHECK(json["parts"][1]["samples"] == 96000);
    CHECK(json["parts"][0]["envelope"]["target"].size() == 30); // 3 s in windows of 0.1 s
}

TEST_CASE("the page needs no other file and no network") {
    ReportData data;
    data.parts = {plucked_part("test", 1.0, 48000)};
    const std::string page = page_of(data);
    const std::string before_data = page.substr(0, page.find("id=\"data\""));
    const std::string program = page.substr(page.rfind("<script>"));
    CHECK_FALSE(std::regex_search(before_data, std::regex(R"(https?:|\bsrc\s*=|@import|url\()")));
    CHECK_FALSE(std::regex_search(program, std::regex(R"(https?:|\bfetch\(|XMLHttp|import\()")));
    CHECK_FALSE(contains(page, "<link"));
}

TEST_CASE("texts are shown, never obeyed") {
    const std::string hostile =
        "</script><script>alert('x')</script><img onerror=\"a\"> & {{data}} {{script}} \xff\xfe <!--";
    ReportData data;
    data.title = data.subtitle = data.command = hostile;
    data.facts = {{hostile, hostile}};
    data.notes = {{ReportNote::Severity::error, hostile}};
    data.parts = {plucked_part(hostile, 0.5, 48000)};
    const std::string page = page_of(data);
    CHECK(count(page, "</script>") == 2); // the data's and the program's own
    CHECK_FALSE(contains(page, "<img"));
    CHECK_FALSE(contains(page, "<!--"));
    CHECK_FALSE(contains(page, "onerror=\""));
    CHECK(contains(page, "&amp; {{data}} {{script}}"));
    CHECK(data_of(page)["parts"].size() == 1);
}

TEST_CASE("figures and samples that are no numbers do not break the page") {
    ReportData data;
    data.curve = {{1, nan_value, nan_value, std::numeric_limits<double>::infinity(), 0.0}};
    data.parts = {plucked_part("test", 1.0, 48000)};
    ReportPart& part = data.parts[0];
    part.prediction[100] = std::numeric_limits<float>::quiet_NaN();
    part.prediction[101] = infinity;
    part.target[7] = -infinity;
    part.metrics = evaluate(part.dry, part.target, part.prediction, 48000);
    const std::string page = page_of(data);
    CHECK(contains(page, "not a usable capture"));
    CHECK(contains(page, "2 samples of the model's signal are not finite"));
    CHECK(contains(page, "1 samples of the target signal are not finite"));
    CHECK(data_of(page)["curve"][0]["valid"].is_null());
}

TEST_CASE("parts may be empty, tiny or silent, at any rate") {
    const std::size_t samples = GENERATE(0, 1, 2, 63, 64, 65, 479, 5000);
    const int sample_rate = GENERATE(8000, 44100, 192000);
    ReportData data;
    data.sample_rate = sample_rate;
    data.parts.resize(1);
    for (auto* signal : {&data.parts[0].dry, &data.parts[0].target, &data.parts[0].prediction})
        signal->assign(samples, 0.0f);
    INFO(samples << " samples at " << sample_rate);
    const auto part = data_of(page_of(data))["parts"][0];
    CHECK(part["samples"] == samples);
    CHECK(part.contains("clips") == (samples > 0));
}

TEST_CASE("stretches that the page keeps lie inside the part") {
    ReportData data;
    const double seconds = GENERATE(0.3, 1.0, 13.0);
    data.parts = {plucked_part("test", seconds, 8000)};
    auto& prediction = data.parts[0].prediction;
    const std::size_t wrong = GENERATE_COPY(values({std::size_t{0}, prediction.size() / 2, prediction.size() - 1}));
    prediction[wrong] += 0.5f;
    const auto part = data_of(page_of(data))["parts"][0];
    const auto first = part["worst"]["first"].get<std::size_t>(), length = part["worst"]["length"].get<std::size_t>();
    INFO(seconds << " s, error at " << wrong << ", found at " << first << " + " << length);
    CHECK(first <= wrong);
    CHECK(wrong < first + length);
    for (const auto& clip : part["clips"])
        CHECK(clip["first"].get<std::size_t>() + clip["length"].get<std::size_t>() <= prediction.size());
}

TEST_CASE("two parts of usual length stay below 6 MB") {
    ReportData data;
    data.parts = {plucked_part("validation", 16.0, 48000), plucked_part("test", 30.0, 48000)};
    const std::size_t size = page_of(data).size();
    CHECK(size < 6'000'000);
    CHECK(size > 500'000); // the sound is there
}

TEST_CASE("what cannot be reported is refused and leaves nothing behind") {
    const Folder folder;
    const fs::path path = folder.path / "report.html";
    ReportData data;
    data.parts = {plucked_part("odd one", 0.1, 48000)};
    data.parts[0].prediction.pop_back();
    CHECK_THROWS_WITH(write_report(path, data), Catch::Contains("odd one"));
    data.parts.clear();
    data.sample_rate = 0;
    CHECK_THROWS_AS(write_report(path, data), Error);
    data.sample_rate = 48000;
    CHECK_THROWS_AS(write_report(folder.path / "nowhere" / "report.html", data), Error);
    CHECK(fs::is_empty(folder.path));
}

TEST_CASE("the verdict grows no kinder as the error grows") {
    CHECK(esr_in_words(0.00012) == "hard to tell from the device by ear");
    CHECK(esr_in_words(0.9) == "not a usable capture");
    CHECK(esr_in_words(nan_value).find("not a number") != std::string::npos);

    ReportData data;
    data.parts = {plucked_part("test", 0.5, 48000)};
    data.parts[0].metrics.esr = 0.2;
    data.parts[0].metrics.static_gain_esr = 0.1;
    CHECK(contains(page_of(data), "no better than a volume knob"));

    data.parts[0].metrics = {}; // perfect, if it were not for the one sample
    data.parts[0].prediction[5] = infinity;
    CHECK(contains(page_of(data), "not a usable capture"));
    data.parts.assign(1, {});
    CHECK(contains(page_of(data), "nothing was scored"));
}
