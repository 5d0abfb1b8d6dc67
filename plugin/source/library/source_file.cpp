// SPDX-License-Identifier: GPL-3.0-or-later
#include "library/source_file.h"

#include "serpent/errors.h"

#include <juce_cryptography/juce_cryptography.h>

namespace serpent::plugin {

juce::String sha256_of(const juce::MemoryBlock& bytes) { return juce::SHA256(bytes).toHexString(); }

juce::MemoryBlock read_bytes(const juce::File& file) {
    const std::string path = file.getFullPathName().toStdString();
    if (file.isDirectory()) throw Error(path + " is a folder; choose a file in it");
    juce::FileInputStream stream(file);
    if (stream.failedToOpen())
        throw Error(file.exists() ? path + " cannot be read; check its permissions" : path + " is not there; was it moved or renamed?");
    if (stream.getTotalLength() > most_file_bytes)
        throw Error(path + " has more than " + std::to_string(most_file_bytes >> 20) + " MiB; is it the right file?");
    juce::MemoryBlock bytes;
    stream.readIntoMemoryBlock(bytes, most_file_bytes);
    return bytes;
}

juce::MemoryBlock find_bytes(const SourceFile& source) {
    if (!source.bytes.isEmpty()) {
        if (source.sha256.isNotEmpty() && sha256_of(source.bytes) != source.sha256)
            throw Error("The copy of \"" + source.name.toStdString() + "\" in this session is damaged; locate the file");
        return source.bytes;
    }
    if (!juce::File::isAbsolutePath(source.path) || !juce::File(source.path).existsAsFile())
        throw Error("\"" + source.name.toStdString() + "\" is missing" +
                    (source.path.isEmpty() ? std::string() : " (it was " + source.path.toStdString() + ")") + "; locate it");
    juce::MemoryBlock bytes = read_bytes(juce::File(source.path));
    if (sha256_of(bytes) != source.sha256)
        throw Error(source.path.toStdString() + " is no longer the file that this session was saved with; locate the right one");
    return bytes;
}

} // namespace serpent::plugin
