#include "arrow_export.hpp"

#include <memory>

namespace polyrank {
namespace {

constexpr std::int64_t kNullable = 2;

// Frees what is exported, but for children that a consumer has moved away.
template <typename Node, typename Struct>
void release(Struct* exported) {
  const std::unique_ptr<Node> node(static_cast<Node*>(exported->private_data));
  for (Struct& child : node->children) {
    if (child.release != nullptr) {
      child.release(&child);
    }
  }
  exported->release = nullptr;
}

}  // namespace

struct ExportedArray::Node {
  std::vector<std::shared_ptr<const void>> memory;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
};

void ExportedArray::move_to(ArrowArray& out) && {
  auto node = std::make_unique<Node>();
  node->memory = std::move(memory_);
  for (const auto& buffer : node->memory) {
    node->buffers.push_back(buffer.get());
  }
  node->children.resize(children_.size());
  for (std::size_t i = 0; i < children_.size(); ++i) {
    std::move(children_[i]).move_to(node->children[i]);
    node->pointers.push_back(&node->children[i]);
  }
  out = {.length = length_,
         .null_count = null_count_,
         .offset = 0,
         .n_buffers = static_cast<std::int64_t>(node->buffers.size()),
         .n_children = static_cast<std::int64_t>(node->pointers.size()),
         .buffers = node->buffers.data(),
         .children = node->pointers.data(),
         .dictionary = nullptr,
         .release = &release<Node, ArrowArray>,
         .private_data = nullptr};
  out.private_data = node.release();
}

struct ExportedSchema::Node {
  std::string format;
  std::string name;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> pointers;
};

void ExportedSchema::move_to(ArrowSchema& out) && {
  auto node = std::make_unique<Node>();
  node->format = std::move(format);
  node->name = std::move(name);
  node->children.resize(children.size());
  for (std::size_t i = 0; i < children.size(); ++i) {
    std::move(children[i]).move_to(node->children[i]);
    node->pointers.push_back(&node->children[i]);
  }
  out = {.format = node->format.c_str(),
         .name = node->name.c_str(),
         .metadata = nullptr,
         .flags = kNullable,
         .n_children = static_cast<std::int64_t>(node->pointers.size()),
         .children = node->pointers.data(),
         .dictionary = nullptr,
         .release = &release<Node, ArrowSchema>,
         .private_data = nullptr};
  out.private_data = node.release();
}

}  // namespace polyrank
