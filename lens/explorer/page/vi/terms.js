// The glossary: the words of the field, whose English the page puts beside them, and what they mean.

export const GLOSSARY = {
  "token": "token",
  "What the model reads and writes one of at a time: a word, a piece of one or a single character.":
    "Đơn vị mà mô hình đọc và viết mỗi lần một cái: một từ, một mảnh của từ hoặc một ký tự.",
  "layer": "lớp",
  "One of the equal parts of the model, one after the other: attention, then an MLP.":
    "Một trong những phần giống nhau nối tiếp nhau của mô hình: attention, rồi đến MLP.",
  "head": "đầu",
  "One of the parts of a layer’s attention: it decides for each position at which earlier ones it looks, and brings something from there.":
    "Một phần trong attention của một lớp: với mỗi vị trí, nó quyết định nhìn vào những vị trí nào trước đó, và mang về điều gì đó từ đấy.",
  "The position that looks, and the vector q by which it asks.": "Vị trí đang nhìn, và vectơ q mà nó dùng để hỏi.",
  "A position that may be looked at, and the vector k by which it is found.": "Vị trí có thể được nhìn vào, và vectơ k giúp tìm ra nó.",
  "stream": "dòng dư",
  "The vector that each position carries through the model; every head and MLP reads from it and adds to it.":
    "Residual stream: vectơ mà mỗi vị trí mang theo suốt mô hình; mọi đầu attention và MLP đều đọc từ đó và cộng thêm vào đó.",
  "embedding": "embedding",
  "The vector of a token with which its stream begins.": "Vectơ của một token, điểm khởi đầu của dòng dư.",
  "norm": "chuẩn hóa",
  "Brings a vector to a standard size before a part of the model reads it.": "Đưa một vectơ về độ lớn chuẩn trước khi một phần của mô hình đọc nó.",
  "qkv": "qkv",
  "The matrices that make a position’s q, k and v from what it brings.": "Các ma trận tạo ra q, k và v của một vị trí từ những gì nó mang đến.",
  "rope": "rope",
  "How the model knows positions: q and k are rotated by an angle that grows with the position, so that scores depend on the distance.":
    "Cách mô hình biết vị trí (mã hóa vị trí): q và k được xoay một góc tăng theo vị trí, nên điểm phụ thuộc vào khoảng cách.",
  "softmax": "softmax",
  "Makes scores into shares: all above 0, and together 1.": "Biến điểm thành tỉ lệ: tất cả đều lớn hơn 0, tổng bằng 1.",
  "proj": "proj",
  "The matrix that mixes the outputs of a layer’s heads into what is added to the stream.":
    "Ma trận trộn kết quả của các đầu trong một lớp thành phần được cộng vào dòng dư.",
  "MLP": "MLP",
  "The part of a layer after its attention: it works on each position alone, a small network of its own.":
    "Phần của lớp nằm sau attention: một mạng nhỏ xử lý riêng từng vị trí.",
  "logit": "logit",
  "The score that the model gives a token to come next; the softmax of all of them are the probabilities.":
    "Điểm mà mô hình cho một token để xuất hiện tiếp theo; softmax của tất cả các điểm ấy là các xác suất.",
  "nat": "nat",
  "The unit of loss, of surprise: a token that was given the probability p costs −ln p nats; one of 37 % costs 1.":
    "Đơn vị của mất mát (loss), tức độ bất ngờ: token được cho xác suất p tốn −ln p nat; token có xác suất 37 % tốn 1 nat.",
  "rival": "đối thủ",
  "The token other than the true one with the highest logit.": "Token có logit cao nhất, không kể token đúng.",
  "sink": "điểm hút",
  "A position, often the first, that takes the attention for which there is no use: a row has to add up to 1.":
    "Vị trí, thường là vị trí đầu tiên, nhận phần attention không dùng vào đâu: vì mỗi hàng phải có tổng bằng 1.",
  "self-repair": "tự bù",
  "Later heads make up for one that is missing, so that less is lost than it gave.":
    "Các đầu sau bù cho đầu bị thiếu, nên phần mất đi ít hơn phần nó từng đóng góp.",
  "previous-token head": "đầu token liền trước",
  "Looks at the position just before. One of these in an early layer tells each position what came before it, which an induction head needs to know.":
    "Nhìn vào vị trí ngay trước. Một đầu như vậy ở lớp sớm cho mỗi vị trí biết điều gì đứng trước nó, điều mà đầu quy nạp cần biết.",
  "duplicate-token head": "đầu token trùng lặp",
  "Looks at the earlier occurrence of the same token.": "Nhìn vào lần xuất hiện trước của cùng một token.",
  "induction head": "đầu quy nạp",
  "Looks at what followed the same token last time, and so can continue a sequence that occurred before (Olsson et al. 2022). The name says where it looks; whether it makes that token likelier, its attribution says.":
    "Nhìn vào token đã đứng sau cùng token ấy ở lần trước, nhờ đó có thể viết tiếp một chuỗi từng xuất hiện (Olsson et al. 2022). Tên gọi chỉ cho biết nó nhìn vào đâu; nó có làm token đó dễ xảy ra hơn hay không thì xem phần đóng góp.",
  "logit lens": "thấu kính logit",
  "The model’s final norm and head, applied after an earlier layer. It shows what can already be read off in that way, which is less than what is there.":
    "Phép chuẩn hóa và lớp ra cuối cùng của mô hình, áp dụng ngay sau một lớp sớm hơn. Nó cho thấy điều đã có thể đọc ra theo cách ấy, ít hơn những gì thật sự có ở đó.",
  "direct logit attribution": "đóng góp trực tiếp vào logit",
  "What one part adds by itself to the logit of one token over another’s (Elhage et al. 2021); the parts add up to the whole difference. What a part does through later parts is counted as theirs.":
    "Phần mà một bộ phận tự mình cộng vào hiệu logit giữa hai token (Elhage et al. 2021); cộng mọi bộ phận lại thì được toàn bộ hiệu. Tác động đi qua các bộ phận sau được tính cho các bộ phận ấy.",
  "ablation": "cắt bỏ",
  "The loss with one part’s output set to zero, minus the loss. The model never met such a zero in training, so this is the effect of an absence, not a share of the prediction.":
    "Mất mát khi đặt kết quả của một bộ phận bằng 0, trừ mất mát ban đầu. Khi huấn luyện, mô hình chưa từng gặp số 0 như vậy, nên đây là tác động của sự vắng mặt, không phải phần đóng góp vào dự đoán.",
  "activation patching": "vá kích hoạt",
  "Reading one text with what another has at one place of the model put into the same place: how much of the difference between their predictions comes with it? Two places may each be enough, or be needed together, so the shares do not add up to 1.":
    "Đọc một văn bản, trong đó một chỗ của mô hình được thay bằng giá trị ở cùng chỗ ấy của văn bản khác: bao nhiêu phần khác biệt giữa hai dự đoán đi theo? Có khi một trong hai chỗ là đủ, có khi phải cần cả hai, nên các tỉ lệ không cộng lại thành 1.",
};
