// The heads, the text with arcs, the map, what is read beside it, the curves, and the predictions.

export const MAPS = {
  // all heads
  "Heads": "Các đầu attention",
  "Each makes a map of its own.": "Mỗi đầu tạo ra một bản đồ riêng.",
  "A badge names a pattern where the measured score is <span id=\"thresholds\"></span> or more.":
    "Nhãn gọi tên một khuôn mẫu khi chỉ số đo được từ <span id=\"thresholds\"></span> trở lên.",
  "Score": "Chỉ số",
  "Order": "Thứ tự",
  "badges first": "có nhãn trước",
  "by layer": "theo lớp",
  "highest score first": "chỉ số cao trước",
  "layer {layer}": "lớp {layer}",
  "head {head}": "đầu {head}",
  "head {name}": "đầu {name}",
  "layer {layer}, head {head}": "lớp {layer}, đầu {head}",
  "Layer {layer}, head {head}": "Lớp {layer}, đầu {head}",
  "the only head": "đầu duy nhất",
  "Each square of a small map is the largest weight of {block} × {block} cells.":
    "Mỗi ô vuông của bản đồ nhỏ là trọng số lớn nhất trong {block} × {block} ô.",
  "measured on “{prompt}”": "đo trên “{prompt}”",
  "elsewhere": "nơi khác",

  // the measures
  "previous token": "token liền trước",
  "first token": "token đầu tiên",
  "duplicate token": "token trùng lặp",
  "induction": "quy nạp",
  "entropy": "entropy",
  "mean distance": "khoảng cách trung bình",
  "Mean weight that a position gives to the one just before it: from position 1 on, or, where a recorded prompt repeats random tokens, as in a song, in their first occurrence.":
    "Trọng số trung bình mà một vị trí dành cho vị trí ngay trước nó: tính từ vị trí 1, hoặc, khi prompt đã ghi lặp lại các token ngẫu nhiên như trong một bài hát, thì tính ở lần xuất hiện đầu.",
  "Mean weight on position 0, from position 1 on. High means an attention sink.":
    "Trọng số trung bình đặt vào vị trí 0, tính từ vị trí 1. Cao nghĩa là có điểm hút (attention sink).",
  "Where tokens come again in the same order: mean weight from the second occurrence on the same token in the first.":
    "Khi các token lặp lại theo đúng thứ tự: trọng số trung bình từ lần xuất hiện thứ hai đặt vào chính token đó ở lần đầu.",
  "Where tokens come again in the same order: mean weight from the second occurrence on the token that came next in the first, which is the one to predict.":
    "Khi các token lặp lại theo đúng thứ tự: trọng số trung bình từ lần xuất hiện thứ hai đặt vào token đứng ngay sau ở lần đầu, chính là token cần đoán.",
  "How spread out a row is, as a share of its maximum: 0 looks at one position, 1 at all equally.":
    "Một hàng trải rộng đến mức nào, so với mức tối đa: 0 là chỉ nhìn một vị trí, 1 là nhìn đều mọi vị trí.",
  "How many positions back the head looks, on average.": "Trung bình đầu attention nhìn lùi lại bao nhiêu vị trí.",

  // one head, as text
  "One head": "Một đầu attention",
  "Show the head as": "Hiển thị đầu attention dưới dạng",
  "Text": "Văn bản",
  "Map": "Bản đồ",
  "Point at a <dfn data-term=\"token\">token</dfn> to see where it reads from, or which tokens read it; click, or use the arrow keys, to stay with it.":
    "Trỏ vào một <dfn data-term=\"token\">token</dfn> để xem nó đọc từ đâu, hoặc token nào đọc nó; nhấp, hoặc dùng các phím mũi tên, để dừng lại ở đó.",
  "Direction": "Chiều",
  "reads from": "đọc từ",
  "is read by": "được đọc bởi",
  "show spaces as ␣": "hiện dấu cách thành ␣",
  "Queries": "Truy vấn",
  "Keys": "Khóa",
  "An arc is as wide as its weight; below .01 there is none.": "Cung càng rộng thì trọng số càng lớn; dưới .01 thì không vẽ.",
  "A thin line stands before a token that goes on with a word.": "Vạch mảnh đứng trước token viết tiếp một từ.",
  "Underlined: written by the model.": "Gạch chân: do mô hình viết.",
  "{name}; arrow keys choose": "{name}; phím mũi tên để chọn",
  "Tokens of the prompt; arrow keys choose": "Các token của prompt; phím mũi tên để chọn",
  "Tokens {first} to {last} of {count}.": "Token {first} đến {last} trong số {count}.",
  "Heads in the text, each in its colour": "Các đầu attention trong văn bản, mỗi đầu một màu",
  "Add a head": "Thêm một đầu",
  "off: it looks, but what it brings is not used": "đang tắt: nó vẫn nhìn, nhưng những gì nó mang về không được dùng",
  "keep": "giữ",
  "Take head {name} off": "Bỏ đầu {name}",
  "Keep head {name} when another is chosen": "Giữ đầu {name} khi chọn đầu khác",

  // one head, as a map
  "A row is a <dfn data-term=\"token\">token</dfn> that asks (the <dfn data-term=\"query\">query</dfn>), a column one that it may look at (the <dfn data-term=\"key\">key</dfn>); the colour is the share of the row’s attention that goes there, and a row adds up to 1. Point at a cell to read it; click, or use the arrow keys, to pin it.":
    "Mỗi hàng là một <dfn data-term=\"token\">token</dfn> đặt câu hỏi (<dfn data-term=\"query\">truy vấn</dfn>, query), mỗi cột là một token mà nó có thể nhìn vào (<dfn data-term=\"key\">khóa</dfn>, key); màu cho biết phần attention của hàng dành cho ô đó, và mỗi hàng có tổng bằng 1. Trỏ vào một ô để đọc; nhấp, hoặc dùng các phím mũi tên, để ghim.",
  "Attention map of layer {layer}, head {head}; arrow keys move the pinned cell": "Bản đồ attention của lớp {layer}, đầu {head}; phím mũi tên di chuyển ô được ghim",
  "key →": "khóa →",
  "query ↓": "truy vấn ↓",
  "masked": "bị che",
  "masked: the future": "bị che: tương lai",
  "Overview of the whole map; arrow keys move the pinned cell by a square": "Toàn cảnh bản đồ; phím mũi tên di chuyển ô được ghim từng ô vuông một",
  "The whole map, {rows} queries by {columns} keys: each square is the largest weight of {block} × {block} cells.":
    "Toàn bộ bản đồ, {rows} truy vấn và {columns} khóa: mỗi ô vuông là trọng số lớn nhất trong {block} × {block} ô.",
  "The whole map, {rows} queries by {columns} keys: each square is a cell.": "Toàn bộ bản đồ, {rows} truy vấn và {columns} khóa: mỗi ô vuông là một ô.",
  "Below, the part in the frame: queries {first} to {last}, keys {from} to {to}. Click in it to move there.":
    "Bên dưới là phần trong khung: truy vấn {first} đến {last}, khóa {from} đến {to}. Nhấp vào đây để di chuyển đến đó.",
  "queries {first} to {last} of {queries}, keys {from} to {to} of {keys}": "truy vấn {first} đến {last} trong {queries}, khóa {from} đến {to} trong {keys}",
  "weight, {scale}": "trọng số, {scale}",
  "weight, {scale}; hatched: masked": "trọng số, {scale}; gạch chéo: bị che",

  // what is read there
  "What is read here": "Những gì đọc được ở đây",
  "query": "truy vấn",
  "key": "khóa",
  "half": "một nửa",
  "the row’s largest": "lớn nhất hàng",
  ".001 or less": "tối đa .001",
  "{measures}: measured on “{prompt}”, as this text repeats nothing.": "{measures}: đo trên “{prompt}”, vì văn bản này không lặp lại gì.",
  "Save this map as PNG": "Lưu bản đồ này thành PNG",
  "This page is inside another one, which may not let it save files. Save the picture from its own menu:":
    "Trang này nằm trong một trang khác, có thể không cho lưu tệp. Hãy lưu ảnh từ trình đơn của chính ảnh:",
  "After the pinned token": "Sau token được ghim",
  "after {token} {position}": "sau {token} {position}",
  "In the text: {token} {share}": "Trong văn bản: {token} {share}",
  "The prompt ends here.": "Prompt kết thúc ở đây.",

  // how heads formed
  "The same map through training, then the loss over the same steps, in <dfn data-term=\"nat\">nats</dfn> per <dfn data-term=\"token\">token</dfn> (validation in colour, training in grey), and the measures of every head: this one in colour, all others in grey. Steps and losses are spaced by their logarithm. Click to go to a step, or on the curve of another head to choose it.":
    "Cùng một bản đồ qua quá trình huấn luyện, rồi đến mất mát (loss) ở chính các bước ấy, tính bằng <dfn data-term=\"nat\">nat</dfn> trên mỗi <dfn data-term=\"token\">token</dfn> (kiểm định có màu, huấn luyện màu xám), và các chỉ số của mọi đầu: đầu này có màu, các đầu khác màu xám. Bước và mất mát được chia theo thang logarit. Nhấp để đến một bước, hoặc nhấp vào đường cong của đầu khác để chọn đầu đó.",
  "Go to step {step}": "Đến bước {step}",
  "Curves; left and right arrow keys move the training step, up and down choose the head": "Các đường cong; phím trái và phải đổi bước huấn luyện, lên và xuống chọn đầu",
  "loss": "mất mát",

  // what it predicts
  "Predictions at each position; arrow keys choose one": "Dự đoán tại từng vị trí; phím mũi tên để chọn",
  "position": "vị trí",
  "true next": "tiếp theo thật",
  "probability": "xác suất",
  "loss, nats": "loss, nat",
  "the {count} likeliest next tokens": "{count} token tiếp theo dễ xảy ra nhất",
  "none": "không có",
  "✓ is the true next token; a bar is as long as its token is likely.": "✓ là token tiếp theo thật; thanh càng dài thì token càng dễ xảy ra.",
  "The last position has no true next token: the prompt ends there, so it has no loss.":
    "Vị trí cuối không có token tiếp theo thật: prompt kết thúc ở đó, nên không có mất mát.",
  "Positions {first} to {last} of {length}, around the chosen one.": "Vị trí {first} đến {last} trong số {length}, quanh vị trí được chọn.",
  "Logit lens; up and down choose a layer, left and right a position": "Thấu kính logit; lên và xuống chọn lớp, trái và phải chọn vị trí",
  "after": "sau",
  "the embedding": "embedding",
  "after {place}, position {position} {here} → {guess} {share} · the true next, {next}, {own}":
    "sau {place}, vị trí {position} {here} → {guess} {share} · tiếp theo thật là {next}, {own}",
  "after {place}, position {position} {here} → {guess} {share} · no true next token: the prompt ends here":
    "sau {place}, vị trí {position} {here} → {guess} {share} · không có token tiếp theo thật: prompt kết thúc ở đây",

  // which heads matter
  "At position {position}, {here}, what makes the true next token {target} more or less likely than its strongest rival, {rival}?":
    "Tại vị trí {position}, {here}, điều gì khiến token tiếp theo thật {target} dễ hay khó xảy ra hơn đối thủ mạnh nhất của nó, {rival}?",
  "At position {position}, {here}, what makes its likeliest next token {target} more likely than the second, {rival}?":
    "Tại vị trí {position}, {here}, điều gì khiến token tiếp theo dễ xảy ra nhất {target} vượt lên trên token thứ nhì, {rival}?",
  "Attribution": "Đóng góp",
  "{attribution} what each part writes, in {logits}": "{attribution} mỗi phần viết bao nhiêu, tính bằng {logits}",
  "logits": "logit",
  "Attribution, in logits": "Đóng góp, tính bằng logit",
  "Ablation": "Cắt bỏ",
  "{ablation} loss without it, minus loss, in {nats}": "{ablation} mất mát khi thiếu nó, trừ mất mát, tính bằng {nats}",
  "nats": "nat",
  "Ablation, in nats": "Cắt bỏ, tính bằng nat",
  "{name}; arrow keys move, Enter chooses a head": "{name}; phím mũi tên để di chuyển, Enter để chọn một đầu",
  "all heads": "tất cả các đầu",
  "all MLPs": "tất cả các MLP",
  "biases": "các bias",
  "logit of {target} − logit of {rival}": "logit của {target} − logit của {rival}",
  "Layer {layer}, MLP": "Lớp {layer}, MLP",
  "{part}: writes {logits} logits": "{part}: viết {logits} logit",
  "{part}: writes {logits} logits; without it the loss is {change} nats lower": "{part}: viết {logits} logit; thiếu nó, mất mát giảm {change} nat",
  "{part}: writes {logits} logits; without it the loss is {change} nats higher": "{part}: viết {logits} logit; thiếu nó, mất mát tăng {change} nat",
  "At the last position there is none: what comes next is not known, so there is no loss to compare.":
    "Ở vị trí cuối không có: không biết token tiếp theo là gì, nên không có mất mát để so sánh.",
  "It is left out here: the model would have to read the prompt once without each head and each MLP, which takes too long for this model and so many tokens.":
    "Ở đây bỏ qua phần này: mô hình sẽ phải đọc lại prompt một lần cho mỗi đầu và mỗi MLP bị bỏ, quá lâu với mô hình này và nhiều token như vậy.",
  "It is computed here once nothing has changed for a moment.": "Phần này được tính khi bạn dừng tay một lát.",
  "Of a prompt of your own only the last step has it here: at every step it would take too long.":
    "Với prompt của riêng bạn, chỉ bước cuối có phần này: tính ở mọi bước sẽ quá lâu.",
};
