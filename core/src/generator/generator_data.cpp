// SPDX-License-Identifier: MIT
#include "serpent/audio_file.h"
#include "model/as_error.h"
#include "serpent/errors.h"
#include "serpent/generator_training.h"
#include "serpent/text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

namespace fs = std::filesystem;

namespace serpent {
namespace {

constexpr std::size_t one_in = 20;  // files kept for validation when nobody says which
constexpr std::size_t most_named = 20;  // files that could not be read, each with its reason

/// * stands for any characters, ? for one.
bool glob_matches(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '*')
        return glob_matches(pattern.substr(1), text) || (!text.empty() && glob_matches(pattern, text.substr(1)));
    if (text.empty()) return false;
    if (pattern.front() == '[') {
        const std::size_t end = pattern.find(']');
        if (end == std::string_view::npos) throw Error("the pattern has a [ without ]");
        const std::string_view set = pattern.substr(1, end - 1);
        bool found = false;
        for (std::size_t i = 0; i < set.size(); ++i) {
            const bool range = i + 2 < set.size() && set[i + 1] == '-';
            found = found || (range ? text.front() >= set[i] && text.front() <= set[i + 2] : text.front() == set[i]);
            if (range) i += 2;
        }
        return found && glob_matches(pattern.substr(end + 1), text.substr(1));
    }
    return (pattern.front() == '?' || pattern.front() == text.front()) && glob_matches(pattern.substr(1), text.substr(1));
}

/// "{digit}_{speaker}_*" against "7_lucas_12": the text at each name, as short as the rest allows.
class NamePattern {
public:
    explicit NamePattern(const std::string& pattern) : pattern_(pattern) {
        for (std::size_t at = 0; (at = pattern.find('{', at)) != std::string::npos;) {
            const std::size_t end = pattern.find('}', at);
            if (end == std::string::npos || end == at + 1) throw Error("--names " + pattern + ": a { needs a name and a }");
            names.push_back(pattern.substr(at + 1, end - at - 1));
            at = end;
        }
        if (!pattern.empty() && names.empty()) throw Error("--names " + pattern + " has no {name} in it");
    }
    std::vector<std::string> names;

    std::optional<std::vector<std::string>> match(std::string_view text) const {
        std::vector<std::string> values;
        return match(pattern_, text, values) ? std::optional(values) : std::nullopt;
    }

private:
    static bool match(std::string_view pattern, std::string_view text, std::vector<std::string>& values) {
        if (pattern.empty()) return text.empty();
        const bool named = pattern.front() == '{';
        if (!named && pattern.front() != '*')
            return !text.empty() && pattern.front() == text.front() && match(pattern.substr(1), text.substr(1), values);
        const std::string_view rest = pattern.substr(named ? pattern.find('}') + 1 : 1);
        for (std::size_t taken = named ? 1 : 0; taken <= text.size(); ++taken) {
            const std::size_t before = values.size();
            if (named) values.emplace_back(text.substr(0, taken));
            if (match(rest, text.substr(taken), values)) return true;
            values.resize(before);
        }
        return false;
    }
    std::string pattern_;
};

bool is_audio(const fs::path& path) {
    static const std::set<std::string> known{".wav", ".flac", ".aiff", ".aif", ".ogg", ".oga", ".rf64", ".w64", ".caf", ".mp3"};
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return known.contains(extension);
}

/// Without hidden ones: what begins with a dot no user put there ("._take.wav" holds a Mac's attributes and no audio).
std::vector<fs::path> audio_files(const fs::path& folder) {
    if (!fs::is_directory(folder)) throw Error(folder.string() + " is not a folder; give one with recordings in it");
    std::vector<fs::path> files;
    fs::recursive_directory_iterator entries(folder, fs::directory_options::skip_permission_denied);
    for (const auto& entry : entries) {
        const bool hidden = entry.path().filename().string().starts_with('.');
        if (hidden && entry.is_directory()) entries.disable_recursion_pending();
        if (!hidden && entry.is_regular_file() && is_audio(entry.path())) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

std::vector<std::uint8_t> read_classes(const fs::path& path, int rate_hz, int* file_rate_hz, std::string* note) {
    const std::vector<float> audio = read_mono(path, rate_hz, file_rate_hz, note);
    std::vector<std::uint8_t> classes(audio.size());
    std::ranges::transform(audio, classes.begin(), [](float v) { return static_cast<std::uint8_t>(mu_law_class(v)); });
    return classes;
}

/// Says what was skipped. Throws Error when too little is left.
void note_unread(GeneratorData& data, const fs::path& folder, const std::vector<std::string>& unread, std::size_t files) {
    if (files - unread.size() < 2)
        throw Error(folder.string() + " holds " + (files == unread.size() ? "no" : "one") +
                    " audio file" + (unread.empty() ? "" : " that can be read") + "; training needs at least two" +
                    (unread.empty() ? "" : " (" + unread.front() + ")"));
    if (unread.empty()) return;
    data.notes.push_back(std::to_string(unread.size()) + " of " + std::to_string(files) + " files were skipped:");
    for (std::size_t i = 0; i < std::min(most_named, unread.size()); ++i) data.notes.push_back("  " + unread[i]);
    if (unread.size() > most_named) data.notes.push_back("  and " + std::to_string(unread.size() - most_named) + " more");
}

double minutes(const std::vector<GeneratorRecording>& list, int rate) {
    double samples = 0;
    for (const auto& r : list) samples += double(r.classes.size());
    return samples / rate / 60;
}

std::string count_text(const char* what, const std::vector<GeneratorRecording>& list, int rate) {
    char text[96];
    std::snprintf(text, sizeof text, "%s: %zu recordings, %.1f minutes", what, list.size(), minutes(list, rate));
    return text;
}

/// Numbers every value of every condition, in the order of the alphabet.
void number_conditions(GeneratorData& data, const std::vector<std::string>& names,
                       const std::map<fs::path, std::vector<std::string>>& said) {
    for (std::size_t j = 0; j < names.size(); ++j) {
        std::set<std::string> values;
        for (const auto& [path, texts] : said) values.insert(texts[j]);
        data.conditions.push_back({valid_utf8(names[j]), {values.begin(), values.end()}});
    }
    for (auto* list : {&data.train, &data.valid, &data.test})
        for (GeneratorRecording& r : *list)
            for (std::size_t j = 0; j < names.size(); ++j) {
                const auto& values = data.conditions[j].values;
                r.conditions.push_back(1 + static_cast<int>(std::ranges::find(values, said.at(r.path)[j]) - values.begin()));
            }
}

} // namespace

GeneratorData load_generator_data(const fs::path& folder, const GeneratorDataOptions& options) try {
    const NamePattern pattern(options.names);
    GeneratorData data;
    data.sample_rate = options.sample_rate;
    std::map<fs::path, std::vector<std::string>> said;
    std::size_t ordinary = 0, resampled = 0;
    const std::vector<fs::path> files = audio_files(folder);
    std::vector<std::string> unread;
    for (const fs::path& path : files) {
        const std::string name = path.filename().string(), stem = path.stem().string();
        std::optional<std::vector<std::string>> values;
        if (!options.names.empty() && !(values = pattern.match(stem)))
            throw Error(path.string() + ": its name does not fit --names " + options.names);
        int rate = 0;
        std::string note;
        GeneratorRecording recording{path, {}, {}};
        try {
            recording.classes = read_classes(path, options.sample_rate, &rate, &note);
        } catch (const Error& error) {
            unread.push_back(error.what());
            continue;
        }
        if (!note.empty()) data.notes.push_back(note);
        if (values)
            for (const std::string& value : *values) said[path].push_back(valid_utf8(value));
        resampled += rate != options.sample_rate;
        if (!options.test.empty() && glob_matches(options.test, name)) {
            data.test.push_back(std::move(recording));
            continue;
        }
        const bool valid = options.valid.empty() ? ordinary++ % one_in == one_in / 2 : glob_matches(options.valid, name);
        (valid ? data.valid : data.train).push_back(std::move(recording));
    }
    note_unread(data, folder, unread, files.size());
    if (data.valid.empty() && !data.train.empty() && options.valid.empty()) {
        data.valid.push_back(std::move(data.train.back()));
        data.train.pop_back();
    }
    if (data.train.empty()) throw Error("no recording is left to train on; check --test and --valid");
    if (data.valid.empty()) throw Error("--valid " + options.valid + " fits no recording in " + folder.string());
    number_conditions(data, pattern.names, said);
    data.notes.push_back(count_text("training", data.train, data.sample_rate));
    data.notes.push_back(count_text("validation", data.valid, data.sample_rate));
    if (!data.test.empty()) data.notes.push_back(count_text("test", data.test, data.sample_rate));
    if (resampled > 0) data.notes.push_back(std::to_string(resampled) + " recordings were resampled to " +
                                            std::to_string(data.sample_rate) + " Hz");
    return data;
} catch (...) {
    rethrow_as_error("hold the recordings in " + folder.string());
}

} // namespace serpent
