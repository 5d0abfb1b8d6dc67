// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer target for what walks over audio containers, mends them and edits their chunks. libsndfile itself is not fuzzed.
#include "audio/chunk_edit.h"
#include "audio/container.h"
#include "audio/mended_file.h"
#include "serpent/errors.h"

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

using namespace serpent;
using namespace serpent::audio;

namespace {

/// A file that was mended is whole: mending it once more finds nothing to do.
void mend(const std::string& bytes) {
    std::string mended_bytes;
    try {
        const auto mended = MendedFile::mend(std::make_unique<std::istringstream>(bytes), bytes.size(), "fuzz");
        if (!mended) return;
        mended_bytes.resize(mended->size());
        if (mended->read(0, mended_bytes.data(), mended_bytes.size()) != mended_bytes.size()) std::abort();
    } catch (const Error&) {
        return;
    }
    std::istringstream stream(mended_bytes);
    const auto container = read_container(stream, mended_bytes.size());
    if (!container || container->fault != Fault::none) std::abort();
}

void edit(const std::string& bytes) {
    std::istringstream stream(bytes);
    const auto container = read_container(stream, bytes.size());
    if (!container) return;
    const Cut cut{10, 50, 101};
    for (const Chunk& chunk : container->chunks) {
        const std::string content = bytes.substr(chunk.begin, chunk.size);
        std::vector<Marker> markers = markers_of_cue(cut_cue(content, cut));
        name_markers(markers, content);
        (void)cut_labels(content, markers);
        (void)cut_sampler(content, cut), (void)cut_broadcast(content, cut), (void)cut_ixml(content, cut);
        (void)cut_aiff_markers(content, cut);
        (void)labels_of(markers), (void)info_ids(content);
        if (markers_of_cue(cue_of(markers)).size() != markers.size()) std::abort();
        const std::vector<Marker> aiff = markers_of_aiff(content);
        if (markers_of_aiff(aiff_of(aiff)).size() != aiff.size()) std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    mend(bytes);
    edit(bytes);
    return 0;
}
